//! `POST /openai/v1/embeddings`.

use access::Principal;
use axum::{
    Extension, Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use desk::{Call, Desk};
use echo_core::Id as _;
use serde_json::{Value, json};

use crate::{asked, chat, failure::Failure, receipt};

/// Turns texts into vectors.
pub(crate) async fn embed(
    State(desk): State<Desk>,
    principal: Option<Extension<Principal>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let asked = asked::embeddings(&body?)?;
    let Extension(principal) = principal.ok_or_else(Failure::unknown_caller)?;
    let customer = asked::customer(&headers)?;
    if let (Some(name), Some(here)) = (&asked.model, desk.models().embedder())
        && *name != here.name
    {
        return Err(Failure::no_model(name));
    }
    if let Some(wanted) = asked.dimensions {
        let words = format!("vectors of {wanted} numbers are not offered: leave `dimensions` out");
        return Err(Failure::unsupported("dimensions", words));
    }
    let call = Call::by(principal.clone());
    let (call, embedded) = desk.embed(&call, customer, asked.input).await?;
    let echo = receipt::of(&desk, &principal, &call).await;
    let data = embedded.vectors.iter().enumerate().map(|(index, vector)| {
        json!({"object": "embedding", "index": index, "embedding": written(vector, asked.base64)})
    });
    let mut response = Json(json!({
        "object": "list",
        "data": data.collect::<Vec<_>>(),
        "model": embedded.model.name,
        "usage": {"prompt_tokens": embedded.tokens, "total_tokens": embedded.tokens},
        "echo": echo,
    }))
    .into_response();
    chat::name_call(&mut response, call.id.as_str());
    Ok(response)
}

/// As numbers, or as the base64 of 32-bit floats, little endian.
fn written(vector: &[f32], base64: bool) -> Value {
    if base64 {
        let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
        json!(STANDARD.encode(bytes))
    } else {
        json!(vector)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_write_a_vector_say_the_same() {
        let vector = [0.5_f32, -0.25, 1.0e-7];
        let numbers: Vec<f32> = serde_json::from_value(written(&vector, false)).unwrap();
        let text = written(&vector, true);
        let bytes = STANDARD.decode(text.as_str().unwrap()).unwrap();
        let floats: Vec<f32> = bytes.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        assert_eq!((numbers.as_slice(), floats.as_slice()), (&vector[..], &vector[..]));
    }
}
