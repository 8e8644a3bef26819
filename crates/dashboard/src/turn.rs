//! One turn at a time: several tabs that wake up together show the same refresh token, and only the first may use it.
//!
//! A refresh token that is used twice ends the whole session (RFC 9700), which is right for a thief and wrong for a
//! browser that opens five tabs at once. So for a few seconds the same token gets the same answer.

use std::collections::VecDeque;

use desk::{Desk, DeskError, Tokens};
use echo_core::{Digest, Timestamp};
use tokio::sync::Mutex;

/// How long the same token gets the same answer, in milliseconds.
const GRACE_MILLIS: i64 = 20_000;
/// How many answers are remembered at most.
const MAX_TURNS: usize = 256;

/// Answers given in the last seconds.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<VecDeque<Turn>>);

#[derive(Debug)]
struct Turn {
    token: Digest,
    at: Timestamp,
    tokens: Tokens,
}

impl Turns {
    /// New tokens for a refresh token.
    pub(crate) async fn refresh(&self, desk: &Desk, token: &str) -> Result<Tokens, DeskError> {
        let digest = Digest::of(token.as_bytes());
        // Held over the call, so that the second asker finds the first one's answer.
        let mut turns = self.0.lock().await;
        let now = desk.now();
        turns.retain(|t| now.as_millisecond() - t.at.as_millisecond() < GRACE_MILLIS);
        if let Some(turn) = turns.iter().find(|t| t.token.same_secret(&digest)) {
            // Signing out ends the session for the remembered answer as well.
            desk.authenticate(&turn.tokens.access_token).await?;
            return Ok(turn.tokens.clone());
        }
        let tokens = desk.refresh(token).await?;
        if turns.len() == MAX_TURNS {
            turns.pop_front();
        }
        turns.push_back(Turn { token: digest, at: now, tokens: tokens.clone() });
        Ok(tokens)
    }
}
