//! What the machine is: facts that change at a reboot or an upgrade, not from minute to minute.

use jiff::Timestamp;
use procfs::{Current as _, CurrentSI as _, KernelStats, Meminfo};
use serde::{Deserialize, Serialize};

use echo_core::Digest;

use crate::{
    bounds::{self, BoundsError, MAX_NAME, MAX_TEXT, clean},
    error::{ObserveError, unreadable},
    procfile, virtualisation,
};

/// What a text says when the machine does not tell.
const UNKNOWN: &str = "unknown";
/// Enough lines for one CPU's block of `/proc/cpuinfo`, or all of a small ARM board's.
const MAX_CPUINFO_LINES: usize = 1024;
/// The most CPUs a machine may claim (Linux's own bound on x86 is 8192).
const MAX_CPUS: u32 = 65_536;

/// Package managers, by the program that shows each is there; the distribution's own before add-ons.
const PACKAGE_MANAGERS: [(&str, &str); 9] = [
    ("apt", "/usr/bin/apt-get"),
    ("dnf", "/usr/bin/dnf"),
    ("yum", "/usr/bin/yum"),
    ("zypper", "/usr/bin/zypper"),
    ("pacman", "/usr/bin/pacman"),
    ("apk", "/sbin/apk"),
    ("opkg", "/bin/opkg"),
    ("xbps", "/usr/bin/xbps-install"),
    ("nix", "/run/current-system/sw/bin/nix"),
];

/// What a machine is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostFacts {
    /// The node name (OpenTelemetry `host.name`).
    pub hostname: String,
    /// The distribution's identifier, such as `debian` (os-release(5), `ID`); `linux` when it has none.
    pub os_id: String,
    /// The distribution's name (`os.name`; os-release(5), `NAME`).
    pub os_name: String,
    /// The distribution's version (`os.version`; os-release(5), `VERSION_ID`); empty for rolling ones.
    pub os_version: String,
    /// The kernel's release, such as `6.1.0-18-amd64`.
    pub kernel: String,
    /// The CPU architecture (`host.arch`): `amd64`, `arm64`, `arm32`, `x86`, or what `uname -m` says.
    pub arch: String,
    /// When the machine started, in whole seconds.
    pub boot_time: Timestamp,
    /// How many logical CPUs are online (`system.cpu.logical.count`).
    pub cpu_count: u32,
    /// The CPU's model (`host.cpu.model.name`).
    pub cpu_model: String,
    /// Physical memory in bytes (`system.memory.limit`).
    pub memory_total: u64,
    /// What it runs in, when not on bare metal, in the words of systemd-detect-virt(1): `kvm`, `docker`, ...
    pub virtualisation: Option<String>,
    /// A digest of the machine id, made for Echo alone: machine-id(5) asks that the raw id stays on the machine.
    pub machine_id_digest: Option<Digest>,
    /// The name of process 1, such as `systemd`.
    pub init: String,
    /// The package manager: `apt`, `dnf`, `apk`, ...
    pub package_manager: Option<String>,
}

impl HostFacts {
    /// Reads the facts of this machine. What the machine does not tell is `unknown` or nothing.
    pub fn collect() -> Result<Self, ObserveError> {
        let stat = KernelStats::current().map_err(unreadable("/proc/stat"))?;
        let memory = Meminfo::current().map_err(unreadable("/proc/meminfo"))?;
        let uname = rustix::system::uname();
        let release = OsRelease::read();
        let kernel = clean(&uname.release().to_string_lossy(), MAX_NAME);
        let cpu = Cpu::read();
        Ok(Self {
            hostname: clean(&uname.nodename().to_string_lossy(), MAX_NAME),
            os_id: release.id,
            os_name: release.name,
            os_version: release.version,
            arch: arch(&uname.machine().to_string_lossy()),
            boot_time: i64::try_from(stat.btime)
                .ok()
                .and_then(|seconds| Timestamp::from_second(seconds).ok())
                .unwrap_or(Timestamp::UNIX_EPOCH),
            cpu_count: u32::try_from(stat.cpu_time.len()).unwrap_or(MAX_CPUS).clamp(1, MAX_CPUS),
            cpu_model: cpu.model.unwrap_or_else(|| UNKNOWN.to_owned()),
            memory_total: memory.mem_total,
            virtualisation: virtualisation::detect(&kernel, cpu.hypervisor),
            kernel,
            machine_id_digest: procfile::small("/etc/machine-id").map(|raw| machine_id_digest(&raw)),
            init: procfile::small("/proc/1/comm")
                .map_or_else(|| UNKNOWN.to_owned(), |raw| clean(&raw, MAX_NAME)),
            package_manager: PACKAGE_MANAGERS
                .iter()
                .find(|(_, program)| std::path::Path::new(program).exists())
                .map(|(name, _)| (*name).to_owned()),
        })
    }

    /// Checks every text and number against its bound.
    pub fn validate(&self) -> Result<(), BoundsError> {
        for (field, given) in [
            ("hostname", &self.hostname),
            ("os_id", &self.os_id),
            ("os_name", &self.os_name),
            ("os_version", &self.os_version),
            ("kernel", &self.kernel),
            ("arch", &self.arch),
            ("init", &self.init),
        ] {
            bounds::text(field, given, MAX_NAME)?;
        }
        bounds::text("cpu_model", &self.cpu_model, MAX_TEXT)?;
        for (field, given) in
            [("virtualisation", &self.virtualisation), ("package_manager", &self.package_manager)]
        {
            bounds::text(field, given.as_deref().unwrap_or_default(), MAX_NAME)?;
        }
        bounds::holds("cpu_count", "1 to 65536 CPUs", (1..=MAX_CPUS).contains(&self.cpu_count))
    }
}

/// An id of the machine that cannot be turned back into, or matched with, what other software knows it by.
fn machine_id_digest(raw: &str) -> Digest {
    Digest::of(format!("echo machine id v1\n{}", raw.trim()).as_bytes())
}

/// `uname -m` in the words of OpenTelemetry's `host.arch`.
fn arch(machine: &str) -> String {
    match machine {
        "x86_64" => "amd64".to_owned(),
        "aarch64" => "arm64".to_owned(),
        "armv6l" | "armv7l" | "armv8l" => "arm32".to_owned(),
        "i386" | "i486" | "i586" | "i686" => "x86".to_owned(),
        other => clean(other, MAX_NAME),
    }
}

/// What os-release(5) says.
struct OsRelease {
    id: String,
    name: String,
    version: String,
}

impl OsRelease {
    fn read() -> Self {
        let text = procfile::small("/etc/os-release").or_else(|| procfile::small("/usr/lib/os-release"));
        Self::parse(&text.unwrap_or_default())
    }

    /// Shell-like assignments; a value may stand in quotes, with `\` before a special character.
    fn parse(text: &str) -> Self {
        // The defaults are the ones that os-release(5) gives.
        let mut out = Self { id: "linux".to_owned(), name: "Linux".to_owned(), version: String::new() };
        for (key, value) in text.lines().filter_map(|line| line.trim().split_once('=')) {
            let value = || clean(&value.trim_matches(['"', '\'']).replace('\\', ""), MAX_NAME);
            match key {
                "ID" => out.id = value(),
                "NAME" => out.name = value(),
                "VERSION_ID" => out.version = value(),
                _ => {}
            }
        }
        out
    }
}

/// What `/proc/cpuinfo` says of the first CPU.
#[derive(Default)]
struct Cpu {
    model: Option<String>,
    hypervisor: bool,
}

impl Cpu {
    fn read() -> Self {
        let mut cpu = Self::default();
        // Nothing is lost when it cannot be read: the model stays unknown.
        let _ = procfile::each_line("/proc/cpuinfo", MAX_CPUINFO_LINES, |line| cpu.take(line));
        cpu.model =
            cpu.model.or_else(|| procfile::small("/proc/device-tree/model").map(|raw| clean(&raw, MAX_TEXT)));
        cpu
    }

    /// Takes one line; says whether another is wanted.
    fn take(&mut self, line: &str) -> bool {
        let Some((key, value)) = line.split_once(':') else {
            // x86 tells all in the first block; ARM boards name the model in the last one.
            return self.model.is_none();
        };
        match key.trim() {
            "model name" | "Model" | "Hardware" if self.model.is_none() => {
                self.model = Some(clean(value, MAX_TEXT));
            }
            "flags" => self.hypervisor = value.split(' ').any(|flag| flag == "hypervisor"),
            _ => {}
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_facts_within_bounds() {
        let facts = HostFacts::collect().unwrap();
        facts.validate().unwrap();
        assert!(facts.memory_total > 1024 * 1024 && !facts.kernel.is_empty(), "{facts:?}");
        let json = serde_json::to_string(&facts).unwrap();
        assert_eq!(serde_json::from_str::<HostFacts>(&json).unwrap(), facts);
    }

    #[test]
    fn the_raw_machine_id_is_never_said() {
        let raw = "0123456789abcdef0123456789abcdef";
        let digest = machine_id_digest(raw);
        assert_ne!(digest, Digest::of(raw.as_bytes()));
        assert_eq!(digest, machine_id_digest(&format!("{raw}\n")));
    }

    #[test]
    fn os_release_is_read_with_and_without_quotes() {
        let release = OsRelease::parse("NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID='3.19.1'\nodd line\n");
        assert_eq!(
            (release.name.as_str(), release.id.as_str(), release.version.as_str()),
            ("Alpine Linux", "alpine", "3.19.1")
        );
        assert_eq!(OsRelease::parse("").id, "linux");
    }

    #[test]
    fn the_model_is_found_on_x86_and_on_small_boards() {
        let read = |text: &str| {
            let mut cpu = Cpu::default();
            let _ = text.lines().all(|line| cpu.take(line));
            cpu
        };
        let pc = read("model name\t: Some CPU\nflags\t\t: fpu hypervisor\n\nmodel name\t: Another\n");
        assert_eq!((pc.model.as_deref(), pc.hypervisor), (Some("Some CPU"), true));
        let board = read("processor\t: 0\nBogoMIPS\t: 1\n\nHardware\t: BCM2835\n");
        assert_eq!((board.model.as_deref(), board.hypervisor), (Some("BCM2835"), false));
    }

    #[test]
    fn architectures_have_their_opentelemetry_names() {
        assert_eq!((arch("x86_64"), arch("riscv64")), ("amd64".into(), "riscv64".into()));
    }
}
