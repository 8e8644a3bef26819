"""How long a node that comes to a network takes to find the one that is there; and what a node at rest keeps in memory."""

import statistics
import time
from pathlib import Path

from ends import End
from house import Device, Platform, until

# What is read on a machine at rest: after so long.
SETTLE_S = 30


def discover(hosts, command):
    """One newcomer on a quiet network: milliseconds until the first byte from the other, from its start and its first question."""
    there = End(hosts[0], command(hosts[0]), "wait")
    try:
        there.hear()
        # Its announcements are over (RFC 6762, section 8.3, has the last one a second after the first).
        time.sleep(2)
        comes = End(hosts[1], command(hosts[1]), "come")
        try:
            looks, _ = comes.heard()
            came, _ = comes.heard()
        finally:
            comes.end()
    finally:
        there.end(0)
    return {"lan_from_start_ms": round(came, 1), "lan_from_question_ms": round(came - looks, 1)}


def resident(f, programs, folder, settle=SETTLE_S):
    """A device of a platform's at rest, linked with it: MiB that are resident with the mesh and without it."""
    platform = Platform(f.host("hub"), programs, folder)
    found = {}
    for name, mesh in (("with", True), ("without", False)):
        device = Device(f.host(name), platform, folder)
        device.start(mesh=mesh, pulse_s=None)
        if mesh:
            until("the device is linked", lambda device=device: device.sees("Echo"))
        time.sleep(settle)
        status = Path(f"/proc/{device.process.pid}/status").read_text()
        kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        found[f"{name}_mesh_mib"] = round(kib / 1024, 1)
        device.stop()
    platform.stop()
    return found


def medians(runs):
    """The median of each figure."""
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}
