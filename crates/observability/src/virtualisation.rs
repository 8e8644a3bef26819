//! Whether the machine is a container or a virtual one, from files alone, in the words of systemd-detect-virt(1).

use std::path::Path;

use crate::{
    bounds::{MAX_NAME, clean},
    procfile,
};

/// Makers and products of virtual machines as the firmware names them (SMBIOS), and systemd's word for each.
const FIRMWARE: [(&str, &str); 11] = [
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VirtualBox", "oracle"),
    ("Xen", "xen"),
    ("Parallels", "parallels"),
    ("Amazon EC2", "amazon"),
    ("Google Compute Engine", "google"),
    ("BHYVE", "bhyve"),
    ("Apple Virtualization", "apple"),
];

/// What the machine runs in; nothing on bare metal. A container counts before the machine it runs on.
pub(crate) fn detect(kernel: &str, hypervisor: bool) -> Option<String> {
    if let Some(name) = procfile::small("/run/systemd/container") {
        return Some(clean(&name, MAX_NAME));
    }
    if Path::new("/run/.containerenv").exists() {
        return Some("podman".to_owned());
    }
    if Path::new("/.dockerenv").exists() {
        return Some("docker".to_owned());
    }
    let firmware: Vec<String> = ["sys_vendor", "product_name"]
        .iter()
        .filter_map(|name| procfile::small(format!("/sys/class/dmi/id/{name}")))
        .collect();
    machine(kernel, &firmware.join(" "), hypervisor).map(str::to_owned)
}

fn machine(kernel: &str, firmware: &str, hypervisor: bool) -> Option<&'static str> {
    if kernel.to_ascii_lowercase().contains("microsoft") {
        return Some("wsl");
    }
    if firmware.contains("Microsoft Corporation Virtual Machine") {
        return Some("microsoft");
    }
    let named = FIRMWARE.iter().find(|(mark, _)| firmware.contains(mark));
    // Amazon's and Google's bare-metal machines carry the same firmware names: only the CPU flag tells. Other
    // architectures than x86 have no such flag, but there the names stand for virtual machines.
    match named {
        Some((_, "amazon" | "google")) if cfg!(target_arch = "x86_64") && !hypervisor => None,
        Some((_, name)) => Some(name),
        None => hypervisor.then_some("vm-other"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_machines_are_named() {
        for (kernel, firmware, hypervisor, expected) in [
            ("6.1.0-18-amd64", "LENOVO 20XW004QGE", false, None),
            ("6.1.0-18-amd64", "QEMU Standard PC", true, Some("qemu")),
            ("6.1.0-18-amd64", "Microsoft Corporation Virtual Machine", true, Some("microsoft")),
            ("6.1.0-18-amd64", "Microsoft Corporation Surface Pro", false, None),
            ("5.15.90.1-microsoft-standard-WSL2", "", true, Some("wsl")),
            ("6.1.0-18-amd64", "", true, Some("vm-other")),
        ] {
            assert_eq!(machine(kernel, firmware, hypervisor), expected, "{firmware}");
        }
    }
}
