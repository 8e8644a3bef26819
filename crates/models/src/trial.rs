//! Whether a file's model runs: loaded alone, and asked one thing.
//!
//! A header may be right and the weights behind it wrong; an engine in C++ then ends the whole process. So whoever takes a
//! file from elsewhere tries it in a process of its own, before it goes on a shelf.

use std::{ops::ControlFlow, path::Path};

use echo_core::{Digest, Timestamp};

use crate::{
    Card, Chat, Kind, Message, ModelError, Speaker,
    engine::{self, Loading},
    shelf,
};

/// What the model is asked; the answer's time is bounded, its sense is not looked at.
const QUESTION: &str = "Say yes.";
const BUDGET_MILLIS: u64 = 60_000;

/// Loads a file's model and asks it for one token or one vector: false when this program was built without the engine.
pub fn trial(file: &Path) -> Result<bool, ModelError> {
    let (header, opened) = shelf::open(file)?;
    let Some(engine) = engine::built_in() else { return Ok(false) };
    let bytes = opened.metadata().map_or(0, |about| about.len());
    let card = Card {
        name: "trial".to_owned(),
        kind: header.kind,
        file: String::new(),
        bytes,
        sha256: Digest([0; 32]),
        licence: None,
        source: None,
        architecture: header.architecture.clone(),
        context: header.context,
        width: header.width,
        added: Timestamp::UNIX_EPOCH,
    };
    let loading = Loading { card: &card, path: file, header: &header, threads: 1 };
    let mut asked = Ok(());
    match header.kind {
        Kind::Text => {
            let ignore = &mut |_: &str| ControlFlow::Continue(());
            engine.text(&loading, &mut |model| asked = model.complete(&question(), ignore).map(drop))?;
        }
        Kind::Embedding => {
            engine.embedding(&loading, &mut |model| asked = model.embed(&[QUESTION]).map(drop))?;
        }
    }
    asked.map(|()| true)
}

fn question() -> Chat {
    Chat {
        messages: vec![Message { speaker: Speaker::User, content: QUESTION.to_owned() }],
        max_tokens: 1,
        temperature: 0.0,
        top_p: 1.0,
        seed: 0,
        stop: Vec::new(),
        budget_millis: BUDGET_MILLIS,
    }
}
