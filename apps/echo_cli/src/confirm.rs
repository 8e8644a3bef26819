//! Asks for a yes before something that cannot be taken back.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use crate::{Failure, out::printable};

/// The most bytes of an answer.
const MAX_ANSWER: u64 = 1024;

/// Refuses when nobody is there to ask; before the question is made, so that nothing is fetched for it.
pub fn somebody() -> Result<(), Failure> {
    somebody_or("pass --yes when you are sure")
}

/// The same, with a hint of one's own.
pub fn somebody_or(hint: &str) -> Result<(), Failure> {
    if io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::usage("this cannot be taken back, and nobody is there to ask").hint(hint))
}

/// Asks on standard error, and reads one line; anything but a yes is a no.
pub fn confirm(question: &str) -> Result<(), Failure> {
    let answer = answer(&format!("{question} [y/N]"))?;
    if agrees(&answer) { Ok(()) } else { Err(Failure::failed("nothing was changed")) }
}

/// Asks on standard error, and reads one line.
pub fn answer(question: &str) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::failed(format!("cannot ask: {error}"));
    let mut stderr = io::stderr().lock();
    write!(stderr, "{} ", printable(question)).and_then(|()| stderr.flush()).map_err(failed)?;
    let mut answer = String::new();
    io::stdin().lock().take(MAX_ANSWER).read_line(&mut answer).map_err(failed)?;
    Ok(answer)
}

fn agrees(answer: &str) -> bool {
    ["y", "yes"].iter().any(|yes| answer.trim().eq_ignore_ascii_case(yes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        assert!(["y\n", "Y", " yes \r\n", "YES"].iter().all(|answer| agrees(answer)));
        assert!(!["", "\n", "n", "no", "yess", "yes please", "j"].iter().any(|answer| agrees(answer)));
    }
}
