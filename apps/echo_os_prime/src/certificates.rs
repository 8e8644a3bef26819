//! Watches the end of certificates: those of nodes, which the desk knows, and the TLS files that the settings name.

use std::path::Path;

use echo_core::Timestamp;
use x509_cert::Certificate;

use crate::jobs::{Given, Said};

/// The most bytes of a file of certificates.
const MAX_FILE: u64 = 256 * 1024;

/// Looks at all of them. A file that cannot be read is a failure, for nobody knows when it ends.
pub async fn watch(given: Given) -> Said {
    let files = given.means.clone();
    let read = move || -> Result<Vec<(String, Timestamp)>, String> {
        files.certificates.iter().map(|path| first_end(path)).collect()
    };
    let others = tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string())??;
    given.desk.watch_certificates(others).await.map_err(|error| error.to_string())
}

/// The file with the end of the first of its certificates to end (RFC 5280, section 4.1.2.5; PEM, RFC 7468).
fn first_end(path: &Path) -> Result<(String, Timestamp), String> {
    let refused =
        |why: String| format!("{}: {why}; name a file of PEM certificates under [watch]", path.display());
    let bytes = durable::read(path, MAX_FILE)
        .map_err(|error| error.to_string())?
        .ok_or_else(|| refused("it is not there".to_owned()))?;
    let chain = Certificate::load_pem_chain(&bytes).map_err(|error| refused(error.to_string()))?;
    let ends =
        chain.iter().map(|one| one.tbs_certificate().validity().not_after.to_unix_duration().as_secs());
    let first = ends.min().ok_or_else(|| refused("it holds no certificate".to_owned()))?;
    let millis = i64::try_from(first).unwrap_or(i64::MAX).saturating_mul(1000);
    Ok((format!("the certificate in {}", path.display()), echo_core::clock::from_millis(millis)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl req -x509 -newkey ed25519 -nodes -keyout /dev/null -subj /CN=t -not_before ... -not_after 20270102030405Z`
    const PEM: &str = include_str!("../tests/it/ends_2027.pem");

    #[test]
    fn the_end_of_a_certificate_is_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        durable::write(file.path(), PEM.as_bytes(), durable::Mode::Public).unwrap();
        assert_eq!(first_end(file.path()).unwrap().1.to_string(), "2027-01-02T03:04:05Z");
    }

    #[test]
    fn what_is_no_certificate_says_what_to_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let torn = &PEM[..PEM.len() / 2];
        for text in ["", "hello", torn, "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"] {
            durable::write(file.path(), text.as_bytes(), durable::Mode::Public).unwrap();
            assert!(first_end(file.path()).unwrap_err().contains("[watch]"), "{text:?}");
        }
        assert!(first_end(Path::new("/nowhere/tls.pem")).is_err());
    }
}
