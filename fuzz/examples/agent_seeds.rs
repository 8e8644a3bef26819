//! Writes good inputs for the targets `mcp` and `schema` into `corpus/`, for libFuzzer to begin with.

use std::{error::Error, path::Path};

use durable::Mode;
use serde_json::{Value, json};

type Done = Result<(), Box<dyn Error>>;

fn put(target: &str, name: &str, value: &Value) -> Done {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    durable::create_folder(&folder)?;
    Ok(durable::write(&folder.join(name), value.to_string().as_bytes(), Mode::Public)?)
}

fn message(name: &str, method: &str, params: &Value) -> Done {
    put("mcp", name, &json!({"jsonrpc": "2.0", "id": name, "method": method, "params": params}))
}

fn main() -> Done {
    let case = "case_0197c3f0a1b27c3d8e4f5a6b7c8d9e0f";
    let hello = json!({
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"},
    });
    message("initialize", "initialize", &hello)?;
    message("list", "tools/list", &json!({}))?;
    message("resources", "resources/read", &json!({"uri": "echo://documents/receipt/rcpt_1"}))?;
    message("prompt", "prompts/get", &json!({"name": "ssh-hardening", "arguments": {"case": case}}))?;
    put("mcp", "initialized", &json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
    let page = json!({"cursor": case, "limit": 5});
    let open = json!({"form": "general-help", "answers": {"what_happened": "x"}, "idempotency_key": "k"});
    for (tool, arguments) in [
        ("triage_classify", json!({"case": case, "wait_seconds": 5, "idempotency_key": "k"})),
        ("advisory_answer", json!({"case": case, "question": "Why?"})),
        ("open_case", open),
        ("list_forms", json!({})),
        ("list_cases", page),
        ("read_case", json!({"id": case})),
    ] {
        message(tool, "tools/call", &json!({"name": tool, "arguments": arguments}))?;
    }
    let chat = json!({
        "model": "m", "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
        "max_tokens": 16, "temperature": 0.5, "top_p": 1, "seed": 7, "stop": ["END"],
    });
    put("schema", "case", &json!({"case": case}))?;
    put("schema", "question", &json!({"case": case, "question": "Why is it slow?"}))?;
    put("schema", "chat", &chat)?;
    put("schema", "texts", &json!({"texts": ["a", "b"]}))?;
    put(
        "schema",
        "no_stop",
        &json!({"messages": [], "max_tokens": 0, "temperature": 9, "top_p": -1, "stop": [""]}),
    )?;
    put("schema", "list", &json!([{"case": [[[null]]]}]))
}
