//! What can be set: a flag wins over the environment, the environment over `echo.toml`, which may be absent.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::Parser;
use desk::{BackupSettings, VaultKey};
use echo_core::Reach;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{jobs::Means, model_settings::ModelSettings};

/// The most bytes of `echo.toml`.
const MAX_CONFIG: u64 = 64 * 1024;
/// The most bytes of a passphrase file.
const MAX_PASSPHRASE: u64 = 4 * 1024;
/// Loopback only, unless told otherwise.
const DEFAULT_LISTEN: &str = "127.0.0.1:8460";

/// The Echo platform: sell and deliver tech support, security and diagnostics from one binary.
#[derive(Debug, Parser)]
#[command(name = "echo_os_prime", version)]
pub struct Args {
    /// The home directory; made when it is not there.
    #[arg(long, env = "ECHO_HOME", value_name = "DIR")]
    home: Option<PathBuf>,
    /// Where to listen. Port 0 takes a free one. Anything but loopback is reachable by others: put TLS before it.
    #[arg(long, env = "ECHO_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// The file that holds the keystore's passphrase, when it is protected by one. With systemd, hand it in as the
    /// credential `echo-passphrase` instead.
    #[arg(long, env = "ECHO_PASSPHRASE_FILE", value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The file with what opens the vault: its passphrase, its age identity, or enough of its shares. With systemd, hand
    /// it in as the credential `echo.vault` instead. Without it the vault stays sealed.
    #[arg(long, env = "ECHO_VAULT_KEY_FILE", value_name = "FILE")]
    vault_key_file: Option<PathBuf>,
    /// Join the mesh, or not: nodes of this network find one another, and signed ones alone are let in.
    #[arg(
        long,
        env = "ECHO_MESH",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = clap::builder::FalseyValueParser::new()
    )]
    mesh: Option<bool>,
    /// Reach out to nothing but this machine and the mesh on the local network: witnesses, models elsewhere, gateways and
    /// names are off, and say so.
    #[arg(
        long,
        env = "ECHO_OFFLINE",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = clap::builder::FalseyValueParser::new()
    )]
    offline: Option<bool>,
    /// Your word, for this start alone, that the clock is right, although it is far from the last time that the home has seen.
    #[arg(long)]
    accept_clock: bool,
}

/// The settings in force.
#[derive(Debug)]
pub struct Settings {
    /// The home directory.
    pub home: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// The address by which others reach the platform, such as `https://help.example.org`.
    pub url: Option<String>,
    /// What opens the keystore, when somebody handed it in.
    pub passphrase: Option<Zeroizing<String>>,
    /// What opens the vault, when somebody handed it in.
    pub vault_key: Option<VaultKey>,
    /// The mesh, when it is switched on.
    pub mesh: Option<MeshSettings>,
    /// Where models are, and what they may take.
    pub models: ModelSettings,
    /// How far the platform may reach out.
    pub reach: Reach,
    /// A person's word that the clock is right.
    pub accept_clock: bool,
    /// How many days customers' cases and devices are remembered in words; for ever without it.
    pub keep_days: Option<u32>,
    /// What the scheduled jobs need beside the home.
    pub means: Means,
}

/// `[memory]` of `echo.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MemorySettings {
    /// How many days a closed case, or what is known of a device, is remembered; 0 for ever.
    keep_days: u32,
}

/// `[watch]` of `echo.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WatchSettings {
    /// Files of PEM certificates, such as the TLS proxy's, whose end is watched.
    certificates: Vec<PathBuf>,
}

impl Default for MemorySettings {
    fn default() -> Self {
        Self { keep_days: 730 }
    }
}

/// `[mesh]` of `echo.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MeshSettings {
    /// Whether the platform joins the mesh.
    enabled: bool,
    /// Where signed offers are listened for; every address and a free port unless told otherwise.
    pub listen: SocketAddr,
    /// Where datagrams are sent from.
    pub udp: SocketAddr,
    /// Whether to announce this node by multicast DNS, and to listen for others.
    pub multicast: bool,
    /// Places to try beside those that are found: `host:port` each.
    pub peers: Vec<String>,
    /// Gateways of others to use: `wss://` addresses.
    pub gateways: Vec<String>,
    /// STUN servers, `host:port` each, that tell this node its address outside of a NAT.
    pub stun: Vec<String>,
    /// A file with TURN servers, as `mesh_link::TurnServer::list` reads it.
    pub turn_file: Option<PathBuf>,
    /// The addresses by which others reach this platform's own gateway, such as `wss://help.example.org/v1/mesh/relay`.
    pub urls: Vec<String>,
    /// How many bytes of files from other nodes are kept; none unless told.
    pub inbox: Option<mesh_daemon::Size>,
    /// Whether loopback addresses count: for nodes of one machine.
    pub loopback: bool,
}

impl Default for MeshSettings {
    fn default() -> Self {
        let anywhere = SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 0));
        Self {
            enabled: false,
            listen: anywhere,
            udp: anywhere,
            multicast: true,
            peers: Vec::new(),
            gateways: Vec::new(),
            stun: Vec::new(),
            turn_file: None,
            urls: Vec::new(),
            inbox: None,
            loopback: false,
        }
    }
}

/// `echo.toml`: every key is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    listen: Option<SocketAddr>,
    url: Option<String>,
    #[serde(default)]
    offline: bool,
    #[serde(default)]
    mesh: MeshSettings,
    #[serde(default)]
    models: ModelSettings,
    #[serde(default)]
    memory: MemorySettings,
    #[serde(default)]
    watch: WatchSettings,
    #[serde(default)]
    backup: BackupSettings,
}

impl Settings {
    /// Joins flags, environment and `echo.toml`.
    pub fn read(args: Args) -> Result<Self, String> {
        let home = args.home.or_else(default_home).ok_or(
            "there is no place for a home directory: set ECHO_HOME, or say --home DIR (neither XDG_DATA_HOME nor HOME is set)",
        )?;
        let path = home.join("echo.toml");
        let config = match durable::read(&path, MAX_CONFIG).map_err(|e| e.to_string())? {
            Some(bytes) => parse(&bytes).map_err(|e| format!("{}: {e}", path.display()))?,
            None => Config::default(),
        };
        let default = DEFAULT_LISTEN.parse().expect("the default address is well formed");
        let passphrase = args
            .passphrase_file
            .or_else(|| credential("echo-passphrase"))
            .map(|path| read_passphrase(&path))
            .transpose()?;
        let vault_key = args
            .vault_key_file
            .map(VaultKey::File)
            .or_else(|| credential("echo.vault").map(VaultKey::Credential));
        let listen = args.listen.or(config.listen).unwrap_or(default);
        let mesh = Some(config.mesh).filter(|mesh| args.mesh.unwrap_or(mesh.enabled));
        let url = config
            .url
            .map(|url| checked_url(&url))
            .transpose()
            .map_err(|e| format!("{}: {e}", path.display()))?;
        let keep_days = Some(config.memory.keep_days).filter(|days| *days > 0);
        let offline = args.offline.unwrap_or(config.offline);
        Ok(Self {
            home,
            listen,
            url,
            passphrase,
            vault_key,
            mesh,
            models: config.models,
            reach: if offline { Reach::Local } else { Reach::Anywhere },
            accept_clock: args.accept_clock,
            keep_days,
            means: Means { certificates: config.watch.certificates, backup: config.backup },
        })
    }
}

/// An address without a path's end, a query or a secret.
fn checked_url(url: &str) -> Result<String, String> {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_/".contains(&byte);
    if host.is_empty() || url.len() > 200 || !host.bytes().all(good) {
        return Err("url: write the platform's address, such as \"https://help.example.org\"".to_owned());
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// A systemd credential (systemd.exec, "Credentials"), when there is one.
fn credential(name: &str) -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY")
        .map(|folder| PathBuf::from(folder).join(name))
        .filter(|path| path.exists())
}

/// A passphrase is a file's text without the line end that editors add.
fn read_passphrase(path: &Path) -> Result<Zeroizing<String>, String> {
    let bytes = durable::read(path, MAX_PASSPHRASE).map_err(|e| e.to_string())?;
    let bytes =
        Zeroizing::new(bytes.ok_or_else(|| format!("{} does not exist: check the path", path.display()))?);
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("{} is not UTF-8 text", path.display()))?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn parse(bytes: &[u8]) -> Result<Config, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
    toml::from_str(text).map_err(|e| format!("{e}Correct the line, or remove it to get the default."))
}

/// The platform's data directory for `echo` (XDG Base Directory Specification 0.8).
fn default_home() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("XDG_DATA_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| set("HOME").map(|home| home.join(".local/share")))
        .map(|data| data.join("echo"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_config_is_a_good_config() {
        assert!(parse(b"").unwrap().listen.is_none());
        assert!(parse(b"listen = \"127.0.0.1:9000\"\n").unwrap().listen.is_some());
    }

    #[test]
    fn the_platforms_address_is_one() {
        assert_eq!(checked_url("https://help.example.org/"), Ok("https://help.example.org".to_owned()));
        for bad in ["help.example.org", "https://", "https://a@b", "ftp://x", "https://x?token=1"] {
            assert!(checked_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_wrong_config_says_what_and_what_to_do() {
        for bad in [&b"listne = \"127.0.0.1:1\""[..], b"listen = 5", b"\xff", b"["] {
            let error = parse(bad).unwrap_err();
            assert!(error.len() > 15, "{error}");
        }
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let home = tempfile::tempdir().unwrap();
        durable::write(&home.path().join("echo.toml"), b"listen = \"127.0.0.1:1\"", durable::Mode::Public)
            .unwrap();
        let args = |listen: Option<&str>| Args {
            home: Some(home.path().to_owned()),
            listen: listen.map(|l| l.parse().unwrap()),
            passphrase_file: None,
            vault_key_file: None,
            mesh: None,
            offline: None,
            accept_clock: false,
        };
        assert_eq!(Settings::read(args(None)).unwrap().listen.port(), 1);
        assert_eq!(Settings::read(args(Some("127.0.0.1:2"))).unwrap().listen.port(), 2);
    }

    #[test]
    fn offline_is_on_by_flag_or_file_and_off_by_flag() {
        let home = tempfile::tempdir().unwrap();
        let reach = |words: &[&str], file: &str| {
            let config = home.path().join("echo.toml");
            durable::write(&config, file.as_bytes(), durable::Mode::Public).unwrap();
            let mut args = Args::try_parse_from([&["echo_os_prime"], words].concat()).unwrap();
            args.home = Some(home.path().to_owned());
            Settings::read(args).unwrap().reach
        };
        assert_eq!(reach(&[], ""), Reach::Anywhere);
        assert_eq!((reach(&["--offline"], ""), reach(&[], "offline = true\n")), (Reach::Local, Reach::Local));
        assert_eq!(reach(&["--offline=false"], "offline = true\n"), Reach::Anywhere);
    }

    #[test]
    fn the_mesh_is_on_by_flag_then_environment_then_file() {
        // Clap reads the environment with the same words as the flag.
        let said = |words: &[&str]| Args::try_parse_from([&["echo_os_prime"], words].concat()).unwrap().mesh;
        assert_eq!(said(&["--mesh"]), Some(true));
        assert_eq!((said(&["--mesh=false"]), said(&["--mesh=0"])), (Some(false), Some(false)));
        let home = tempfile::tempdir().unwrap();
        let on = |mesh: Option<bool>, file: &str| {
            let config = home.path().join("echo.toml");
            durable::write(&config, file.as_bytes(), durable::Mode::Public).unwrap();
            let args = Args {
                home: Some(home.path().to_owned()),
                listen: None,
                passphrase_file: None,
                vault_key_file: None,
                mesh,
                offline: None,
                accept_clock: false,
            };
            Settings::read(args).unwrap().mesh.is_some()
        };
        let file = "[mesh]\nenabled = true\n";
        assert!(!on(Some(false), file) && on(None, file) && on(Some(true), file));
        assert!(!on(Some(false), "") && !on(None, "") && on(Some(true), ""));
    }
}
