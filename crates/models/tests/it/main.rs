//! The engine with real models: what it answers is fixed where it is certain, and bounded where it is not. Run by
//! `scripts/suites/models`, which installs the models and says where they are (`ECHO_MODELS`).

#![expect(clippy::unwrap_used, reason = "all of this is test code, not only its test functions")]

mod text;
mod vectors;

use std::{path::PathBuf, time::Duration};

use models::{Chat, Message, Models, Settings, Speaker};

/// The installed models.
fn folder() -> PathBuf {
    std::env::var_os("ECHO_MODELS")
        .map(PathBuf::from)
        .expect("ECHO_MODELS says where scripts/models put the models")
}

fn settings() -> Settings {
    Settings { threads: 2, idle: Duration::from_mins(1), ..Settings::new(folder()) }
}

fn installed() -> Models {
    Models::open(settings()).unwrap()
}

fn said(speaker: Speaker, content: &str) -> Message {
    Message { speaker, content: content.to_owned() }
}

fn chat(text: &str, max_tokens: u32) -> Chat {
    Chat {
        messages: vec![said(Speaker::User, text)],
        max_tokens,
        temperature: 0.0,
        top_p: 1.0,
        seed: 7,
        stop: Vec::new(),
        budget_millis: 120_000,
    }
}
