//! The command line.

use std::{net::SocketAddr, num::NonZeroU16, path::PathBuf};

use ::mesh::{NodeId, bulk::TransferId};
use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::{failure::Failure, show};

/// The agent on a device: enrols it, sends pulses, carries out signed commands.
#[derive(Debug, Parser)]
#[command(
    name = "echo_probe",
    version,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused because something is not trusted or not \
                  allowed.\nECHO_LOG sets what is logged to standard error (error, warn, info, debug)."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Enrol this machine at a platform with a one-time token
    Enroll(Enroll),
    /// Send pulses and carry out signed commands until stopped
    Run(Run),
    /// Say what a technician would look at first; needs no enrolment
    Diagnose(Diagnose),
    /// Compare this machine, or a mounted one, with a posture policy; needs no enrolment
    Scan(Scan),
    /// Say who this device is and how it stands
    Status(Status),
    /// Ask the running probe about the mesh, and have other nodes do something
    #[command(subcommand)]
    Mesh(MeshCommand),
    /// Print a completion script for a shell
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// Where the device home is.
#[derive(Debug, Args)]
pub(crate) struct HomeDir {
    /// The device's folder [default: the user's data folder for echo-probe]
    #[arg(long, env = "ECHO_PROBE_HOME", value_name = "DIR")]
    home: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Enroll {
    /// The platform's address, such as <https://help.example.org>
    #[arg(long, value_name = "URL")]
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) token: TokenSource,
    /// What people will call the device [default: its host name]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Replace the identity that this home already has
    #[arg(long)]
    pub(crate) replace: bool,
    /// Allow plain http to another machine: anybody on the way can read and hold back what is said
    #[arg(long)]
    pub(crate) insecure_http: bool,
    #[command(flatten)]
    pub(crate) home: HomeDir,
}

/// Where the one-time token comes from. Never the command line itself, which every user of the machine can see.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct TokenSource {
    /// Read the one-time token from a file
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Read the one-time token from standard input
    #[arg(long)]
    pub(crate) token_stdin: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) home: HomeDir,
    /// Scan and change the system below this folder instead of the running one
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Let approved changes be made to the running system
    #[arg(long, conflicts_with = "root")]
    pub(crate) allow_live_changes: bool,
    /// Seconds between two pulses
    #[arg(long, value_name = "N", default_value = "30")]
    pub(crate) pulse_seconds: NonZeroU16,
    /// Join the mesh: find other nodes of this network, and let signed ones in
    #[arg(long, env = "ECHO_MESH")]
    pub(crate) mesh: bool,
    #[command(flatten)]
    pub(crate) mesh_options: Mesh,
}

/// How the device joins the mesh. Nothing of it is needed on an ordinary network.
#[derive(Debug, Clone, Args)]
pub(crate) struct Mesh {
    /// Where to listen for signed offers [default: every address, a free port]
    #[arg(long = "mesh-listen", value_name = "ADDRESS:PORT", requires = "mesh")]
    pub(crate) listen: Option<SocketAddr>,
    /// A place to try beside those that are found (may be given again)
    #[arg(long = "mesh-peer", value_name = "HOST:PORT", requires = "mesh")]
    pub(crate) peer: Vec<String>,
    /// A gateway to use beside the platform's, a wss:// address (may be given again)
    #[arg(long = "mesh-gateway", value_name = "URL", requires = "mesh")]
    pub(crate) gateway: Vec<String>,
    /// A STUN server that tells this node its address outside of a NAT (may be given again)
    #[arg(long = "mesh-stun", value_name = "HOST:PORT", requires = "mesh")]
    pub(crate) stun: Vec<String>,
    /// A file with TURN servers: [{"host": "HOST:PORT", "username": "...", "password": "..."}]
    #[arg(long = "mesh-turn-file", value_name = "FILE", requires = "mesh")]
    pub(crate) turn_file: Option<PathBuf>,
    /// Do not announce this node by multicast DNS, and do not look for others
    #[arg(long = "mesh-no-multicast", requires = "mesh")]
    pub(crate) no_multicast: bool,
    /// Take files of other nodes, up to so many bytes in all, such as 2GiB [default: none]
    #[arg(long = "mesh-inbox", value_name = "SIZE", requires = "mesh")]
    pub(crate) inbox: Option<mesh_daemon::Size>,
    /// Let loopback addresses count: for nodes of one machine
    #[arg(long = "mesh-loopback", requires = "mesh")]
    pub(crate) loopback: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MeshCommand {
    /// Say which nodes are there, and how they are reached
    Status(Status),
    /// Say why a node is not reached, or not directly, and what to do
    Doctor(MeshDoctor),
    /// Have another node do something that a grant pays for
    Call(MeshCall),
    /// Send a file to another node, and wait until it has it
    Send(MeshSend),
    /// Say which files go to other nodes and come from them
    Transfers(Status),
    /// End a transfer, whichever way it goes
    Cancel(MeshCancel),
}

#[derive(Debug, Args)]
pub(crate) struct MeshSend {
    #[command(flatten)]
    pub(crate) home: HomeDir,
    /// The file, of at most 4 GiB
    pub(crate) file: PathBuf,
    /// The node that is to have it, as its did:key
    #[arg(long, value_name = "NODE")]
    pub(crate) node: NodeId,
    /// Leave it to the running probe, and print the transfer's name
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Print JSON, with the receiver's signed receipt
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MeshCancel {
    #[command(flatten)]
    pub(crate) home: HomeDir,
    /// The transfer, as `echo_probe mesh transfers` shows it
    pub(crate) id: TransferId,
}

#[derive(Debug, Args)]
pub(crate) struct MeshDoctor {
    #[command(flatten)]
    pub(crate) home: HomeDir,
    /// The node, as its did:key [default: every one]
    #[arg(value_name = "NODE")]
    pub(crate) node: Option<NodeId>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MeshCall {
    #[command(flatten)]
    pub(crate) home: HomeDir,
    /// What to do, such as diagnostics.probe
    pub(crate) skill: String,
    /// Which node is to do it, as its did:key [default: the nearest that offers it]
    #[arg(long, value_name = "NODE")]
    pub(crate) node: Option<NodeId>,
    /// What pays for it: the file that `echo_cli mesh grant` made
    #[arg(long, value_name = "FILE")]
    pub(crate) grant: PathBuf,
    /// What to do it on, as JSON
    #[arg(long, value_name = "JSON")]
    pub(crate) input: Option<String>,
    /// The idempotency key, a UUID: the same one never has the work done twice [default: a new one]
    #[arg(long, value_name = "UUID")]
    pub(crate) key: Option<String>,
    /// How long to wait for the answer
    #[arg(long, value_name = "N", default_value = "60")]
    pub(crate) seconds: NonZeroU16,
    /// Print the signed answer, too
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Diagnose {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// The policy, a Wazuh SCA file. It may run commands on the running system: use files that you trust
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
    /// Look at the system below this folder instead of the running one
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) home: HomeDir,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl HomeDir {
    /// The folder that was named, or the user's own.
    pub(crate) fn path(&self) -> Result<PathBuf, Failure> {
        if let Some(home) = &self.home {
            return Ok(home.clone());
        }
        let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
        set("XDG_DATA_HOME")
            .or_else(|| set("HOME").map(|home| home.join(".local/share")))
            .map(|data| data.join("echo-probe"))
            .ok_or_else(|| {
                Failure::Usage("there is no home folder here: name one with --home DIR".to_owned())
            })
    }
}

/// Prints a completion script.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "echo_probe", &mut script);
    show::data(&String::from_utf8_lossy(&script))
}

/// Prints the manual page.
pub(crate) fn man() -> Result<(), Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(Failure::of)?;
    show::data(&String::from_utf8_lossy(&page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_token_comes_from_one_place() {
        let parse = |tail: &[&str]| {
            let head = ["echo_probe", "enroll", "--url", "http://localhost:1"];
            Cli::try_parse_from(head.iter().chain(tail)).is_ok()
        };
        assert!(parse(&["--token-stdin"]) && parse(&["--token-file", "t"]));
        assert!(!parse(&[]) && !parse(&["--token-stdin", "--token-file", "t"]) && !parse(&["--token", "t"]));
    }
}
