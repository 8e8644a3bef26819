//! `login`, `logout`, `whoami`.

use std::{
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use clap::Args;

use crate::{Failure, api::Api, http::is_loopback, out::Out};

/// The most bytes of a link.
const MAX_LINK: u64 = 4 * 1024;

/// The one-time link, from one of two places.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    from: From,
    /// Sign in over plain HTTP to another machine: everybody on the way reads the session
    #[arg(long)]
    insecure_http: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct From {
    /// The one-time link that the platform printed; `-` reads it from standard input
    #[arg(long, value_name = "LINK")]
    link: Option<String>,
    /// A file with the link
    #[arg(long, value_name = "FILE")]
    link_file: Option<PathBuf>,
}

/// Signs in, and keeps the session in `home`.
pub fn login(arguments: &Arguments, home: &Path, out: Out) -> Result<(), Failure> {
    let text = match (&arguments.from.link, &arguments.from.link_file) {
        (Some(link), _) if link == "-" => from_stdin()?,
        (Some(link), _) => link.clone(),
        (None, Some(path)) => from_file(path)?,
        (None, None) => {
            return Err(Failure::usage("no link was given").hint("pass --link LINK or --link-file FILE"));
        }
    };
    let (base, secret) = parts(&text)?;
    if base.starts_with("http://") && !is_loopback(base) && !arguments.insecure_http {
        return Err(Failure::usage(format!("{base} is on another machine, and plain HTTP hides nothing"))
            .hint("use an https:// address, or pass --insecure-http if the way there is safe"));
    }
    whoami(&Api::sign_in(base, secret, home)?, out)
}

/// Ends the session.
pub fn logout(home: &Path, out: Out) -> Result<(), Failure> {
    let api = Api::open(home)?;
    api.sign_out()?;
    if out.is_json() {
        return out.json(&serde_json::json!({"signed_out": true}));
    }
    out.line(&format!("signed out of {}", api.base()))
}

/// Says who is signed in.
pub fn whoami(api: &Api, out: Out) -> Result<(), Failure> {
    let mut me = api.get("/v1/me")?;
    if let Some(fields) = me.as_object_mut() {
        fields.insert("url".to_owned(), api.base().into());
    }
    out.one(&me, &[("name", "/name"), ("role", "/role"), ("customer", "/customer"), ("platform", "/url")])
}

/// The address and the secret of a link `http://HOST:PORT/sign-in#token=SECRET`.
pub fn parts(link: &str) -> Result<(&str, &str), Failure> {
    let link = link.trim();
    let known = link.starts_with("http://") || link.starts_with("https://");
    link.split_once("/sign-in#token=")
        .filter(|(base, secret)| known && base.len() > "http://".len() && !secret.is_empty())
        .ok_or_else(|| {
            Failure::usage("that is not a sign-in link")
                .hint("expected http://HOST:PORT/sign-in#token=SECRET, as `echo_os_prime` prints it after `sign in:`")
        })
}

fn from_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    io::stdin()
        .take(MAX_LINK)
        .read_to_string(&mut text)
        .map_err(|error| Failure::failed(format!("cannot read the link from standard input: {error}")))?;
    Ok(text)
}

fn from_file(path: &Path) -> Result<String, Failure> {
    let bytes = durable::read(path, MAX_LINK)?.ok_or_else(|| {
        Failure::failed(format!("there is no file {}", path.display())).hint("check the path")
    })?;
    String::from_utf8(bytes).map_err(|_| Failure::failed(format!("{} is not text", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_an_address_and_a_secret() {
        assert_eq!(parts(" http://127.0.0.1:8/sign-in#token=abc\n").unwrap(), ("http://127.0.0.1:8", "abc"));
    }

    #[test]
    fn other_texts_are_no_links() {
        for bad in [
            "",
            "abc",
            "ftp://x/sign-in#token=a",
            "http:///sign-in#token=a",
            "http://x/sign-in#token=",
            "http://x/sign-in",
        ] {
            assert!(parts(bad).is_err(), "{bad}");
        }
    }
}
