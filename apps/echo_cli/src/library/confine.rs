//! The process that opens a foreign file: it gives up what it does not need before it reads the first byte.

use std::{
    fs::File,
    io::{self, Write as _},
};

use library::{Format, Limits};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::Failure;

/// The most memory, in bytes.
pub const MEMORY: u64 = 2 * 1024 * 1024 * 1024;
/// The most time of the processor, in seconds.
pub const PROCESSOR: u64 = 120;

/// Reads the file on standard input, and prints what it says as JSON.
pub fn read(format: Format, articles: usize) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::failed(format!("cannot take the file: {error}"));
    let mut file = File::from(rustix::io::dup(io::stdin()).map_err(|error| failed(error.into()))?);
    // What a parser prints must not get between the answer's lines.
    let mut answer = File::from(rustix::io::dup(io::stdout()).map_err(|error| failed(error.into()))?);
    rustix::stdio::dup2_stdout(io::stderr()).map_err(|error| failed(error.into()))?;
    give_up().map_err(failed)?;
    let reading = library::read(&mut file, format, &Limits { articles, ..Limits::default() })?;
    let json = serde_json::to_vec(&reading).map_err(Failure::failed)?;
    answer.write_all(&json)?;
    Ok(())
}

/// From here on no file and no socket can be opened, no file can be written, no process begun, and memory and time are
/// bounded.
fn give_up() -> io::Result<()> {
    let bounds = [
        (Resource::As, MEMORY),
        (Resource::Cpu, PROCESSOR),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nproc, 0),
        // The number of the next descriptor would be too high already: that holds for files and sockets alike.
        (Resource::Nofile, 0),
    ];
    for (resource, most) in bounds {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, UdpSocket},
        process::{Command, Stdio},
    };

    use super::*;

    /// Says that the process may give up what it has: it is this test, begun anew by itself.
    const CONFINED: &str = "ECHO_TEST_CONFINED";

    #[test]
    fn a_confined_process_opens_neither_files_nor_sockets_and_begins_no_program() {
        if std::env::var_os(CONFINED).is_none() {
            let this = std::env::current_exe().unwrap();
            let name = "library::confine::tests::a_confined_process_opens_neither_files_nor_sockets_and_begins_no_program";
            let mut run = Command::new(this);
            run.args(["--exact", name, "--nocapture", "--test-threads=1"])
                .env(CONFINED, "1")
                .stdin(Stdio::null());
            let ran = run.output().unwrap();
            assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
            return;
        }
        let here = std::env::current_exe().unwrap();
        assert!(File::open(&here).is_ok() && UdpSocket::bind("127.0.0.1:0").is_ok());
        give_up().unwrap();
        assert!(File::open(&here).is_err(), "a file was opened");
        assert!(UdpSocket::bind("127.0.0.1:0").is_err(), "a socket was made");
        assert!(TcpListener::bind("127.0.0.1:0").is_err(), "a socket was made");
        assert!(Command::new(&here).arg("--list").output().is_err(), "a program was begun");
        let mut big: Vec<u8> = Vec::new();
        assert!(
            big.try_reserve_exact(usize::try_from(MEMORY).unwrap()).is_err(),
            "too much memory was given"
        );
    }
}
