//! The platform, as a signed-in person sees it.

use std::{cell::RefCell, path::Path};

use echo_core::{Id as _, Mint, TokenId};
use serde_json::{Value, json};

use crate::{
    Failure, answer,
    http::{Answer, Http, Request},
    session::{Session, SessionFile},
};

/// The most items of one list that are fetched.
const MAX_ITEMS: usize = 10_000;

/// A platform with a session, which is renewed as needed.
#[derive(Debug)]
pub struct Api {
    http: Http,
    file: SessionFile,
    session: RefCell<Session>,
    mint: Mint,
}

impl Api {
    /// Continues the session in `home`.
    pub fn open(home: &Path) -> Result<Self, Failure> {
        let file = SessionFile::new(home);
        let session = file.load()?;
        Ok(Self { http: Http::new(&session.url), file, session: RefCell::new(session), mint: Mint::system() })
    }

    /// Trades a one-time secret for a session, and keeps it in `home`.
    pub fn sign_in(base: &str, secret: &str, home: &Path) -> Result<Self, Failure> {
        let http = Http::new(base);
        let mint = Mint::system();
        let body = json!({ "secret": secret });
        // The answer is not kept by the platform, so a second attempt could only fail.
        let request = Request { path: "/v1/sign-in", body: Some(&body), token: None, key: None };
        let tokens = http.send(request)?.accept()?;
        let session = Session::from_tokens(http.base(), &tokens, mint.now())?;
        let file = SessionFile::new(home);
        file.save(&session)?;
        Ok(Self { http, file, session: RefCell::new(session), mint })
    }

    /// The platform's address, without a slash at the end.
    pub fn base(&self) -> &str {
        self.http.base()
    }

    /// Reads one thing.
    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send(path, None)?.accept()
    }

    /// Reads bytes as they are.
    pub fn get_bytes(&self, path: &str) -> Result<Vec<u8>, Failure> {
        self.send(path, None)?.accept_bytes()
    }

    /// Does something, once: the request carries a fresh idempotency key, and keeps it when it is tried again.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send(path, Some(body))?.accept()
    }

    /// Reads a whole list, page by page.
    pub fn list(&self, path: &str) -> Result<Vec<Value>, Failure> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("{path}{joint}limit=200{cursor}"))?;
            if let Value::Array(all) = page {
                return Ok(all);
            }
            items.extend_from_slice(answer::list(&page, "/items")?);
            match page.get("next").and_then(Value::as_str) {
                Some(next) if items.len() < MAX_ITEMS => cursor = format!("&cursor={}", escaped(next)),
                _ => return Ok(items),
            }
        }
    }

    /// Opens the stream of events after `after`.
    pub fn events(&self, after: Option<&str>) -> Result<impl std::io::BufRead + use<>, Failure> {
        let token = self.fresh_token()?;
        match self.http.stream("/v1/events", &token, after)? {
            Ok(stream) => Ok(stream),
            Err(refused) if refused.status == 401 => {
                let token = self.renew(&token)?;
                self.http.stream("/v1/events", &token, after)?.map_err(|refused| refused.problem())
            }
            Err(refused) => Err(refused.problem()),
        }
    }

    /// An access token that is good for some minutes.
    pub fn token(&self) -> Result<String, Failure> {
        self.fresh_token()
    }

    /// Ends the session, here and on the platform.
    pub fn sign_out(&self) -> Result<(), Failure> {
        let ended = self.send("/v1/sign-out", Some(&json!({})));
        self.file.remove()?;
        let ended = ended?;
        // A session that is over already is signed out too.
        if ended.status == 401 { Ok(()) } else { ended.accept_bytes().map(drop) }
    }

    fn send(&self, path: &str, body: Option<&Value>) -> Result<Answer, Failure> {
        let key = body.map(|_| self.key());
        let send =
            |token: &str| self.http.send(Request { path, body, token: Some(token), key: key.as_deref() });
        let token = self.fresh_token()?;
        let answer = send(&token)?;
        if answer.status == 401 {
            return send(&self.renew(&token)?);
        }
        Ok(answer)
    }

    /// A key that no request had before: the hexadecimal digits of a UUIDv7.
    fn key(&self) -> String {
        let id = self.mint.id::<TokenId>();
        id.as_str().trim_start_matches("tok_").to_owned()
    }

    fn fresh_token(&self) -> Result<String, Failure> {
        let (token, stale) = {
            let session = self.session.borrow();
            (session.access_token.clone(), session.is_stale(self.mint.now()))
        };
        if stale { self.renew(&token) } else { Ok(token) }
    }

    /// Renews the session unless another process has done so since `old` was read.
    fn renew(&self, old: &str) -> Result<String, Failure> {
        let _right = self.file.lock()?;
        let kept = self.file.load()?;
        let session = if kept.access_token != old && !kept.is_stale(self.mint.now()) {
            kept
        } else {
            let body = json!({ "refresh_token": kept.refresh_token });
            // Sent once: a refresh token that is used twice ends the session.
            let request = Request { path: "/v1/refresh", body: Some(&body), token: None, key: None };
            let tokens = self.http.send(request)?.accept()?;
            let renewed = Session::from_tokens(&kept.url, &tokens, self.mint.now())?;
            self.file.save(&renewed)?;
            renewed
        };
        let token = session.access_token.clone();
        *self.session.borrow_mut() = session;
        Ok(token)
    }
}

/// A text for a query (RFC 3986, section 2.3: unreserved characters stay).
pub fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_carries_no_separators() {
        assert_eq!(escaped("a-b_c.d~1"), "a-b_c.d~1");
        assert_eq!(escaped("a&b=c/ä"), "a%26b%3Dc%2F%C3%A4");
    }
}
