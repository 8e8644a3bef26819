//! Small files and streams of lines from `/proc`, `/sys` and `/etc`, each read within a bound.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _},
    path::Path,
};

/// The most bytes of one line; what follows is dropped. An overlay mount's options take up to a page.
const MAX_LINE: u64 = 16 * 1024;
/// The most bytes of a file read whole.
const MAX_SMALL: u64 = 64 * 1024;

/// Calls `each` with every line of `path` until it says stop (`false`); at most `max` lines.
pub(crate) fn each_line(path: &str, max: usize, mut each: impl FnMut(&str) -> bool) -> io::Result<()> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    for _ in 0..max {
        line.clear();
        if reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.last() != Some(&b'\n') {
            reader.skip_until(b'\n')?;
        }
        if !each(String::from_utf8_lossy(&line).trim_end_matches('\n')) {
            break;
        }
    }
    Ok(())
}

/// The whole of a small file, trimmed; nothing when it is missing, unreadable, empty or too large.
pub(crate) fn small(path: impl AsRef<Path>) -> Option<String> {
    let bytes = durable::read(path.as_ref(), MAX_SMALL).ok()??;
    let text = String::from_utf8_lossy(&bytes).trim_matches(['\0', '\n', ' ']).to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_end_is_cut_and_the_next_one_is_whole() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("lines");
        let long = "x".repeat(100_000);
        durable::write(&path, format!("{long}\nnext\nlast").as_bytes(), durable::Mode::Public).unwrap();
        let mut seen = Vec::new();
        each_line(path.to_str().unwrap(), 10, |line| {
            seen.push(line.to_owned());
            true
        })
        .unwrap();
        assert_eq!(seen[0].len() as u64, MAX_LINE);
        assert_eq!(seen[1..], ["next", "last"]);
        assert!(small(&path).is_none());
    }

    #[test]
    fn reading_stops_at_the_bound_or_on_request() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("lines");
        durable::write(&path, b"a\nb\nc\n", durable::Mode::Public).unwrap();
        let mut seen = 0;
        each_line(path.to_str().unwrap(), 2, |_| {
            seen += 1;
            true
        })
        .unwrap();
        assert_eq!(seen, 2);
        each_line(path.to_str().unwrap(), 9, |_| {
            seen += 1;
            false
        })
        .unwrap();
        assert_eq!(seen, 3);
    }
}
