"""Every network call of a program and its children, seen by strace, and which of them could leave the machine."""

import ipaddress
import os
import re
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

# What may be opened at all; of the Internet's families, each address is looked at.
FAMILIES = {"AF_UNIX", "AF_NETLINK", "AF_INET", "AF_INET6"}
CALL = re.compile(r"^\d+\s+(\w+)\((.*)$")
RESUMED = re.compile(r"^\d+\s+<\.\.\. \w+ resumed>")
SOCKET = re.compile(r"^(AF_\w+|\d+)")
ADDRESS = re.compile(r"sa_family=(AF_\w+|\d+|0x[0-9a-f]+)([^}]*)")
IPV4 = re.compile(r'inet_addr\("([^"]+)"\)')
IPV6 = re.compile(r'inet_pton\(AF_INET6, "([^"]+)"')
# Asking where a socket is, or waiting on one, sends nothing; what came in was sent by somebody whose calls are looked at.
QUIET = {
    "getsockname", "getpeername", "getsockopt", "setsockopt", "listen", "shutdown", "accept", "accept4", "recvfrom", "recvmsg",
    "recvmmsg",
}  # fmt: skip
SENDING = {"connect", "sendto", "sendmsg", "sendmmsg", "bind"}
OPENING = {"socket", "socketpair"}


@dataclass
class Seen:
    """What was seen of one program."""

    calls: Counter = field(default_factory=Counter)
    # Calls that could leave the machine, and those that nobody has said a rule for.
    leaving: list = field(default_factory=list)

    def add(self, other):
        self.calls.update(other.calls)
        self.leaving.extend(other.leaving)


def near(address, lan):
    """Whether an address is this machine's own, or on the local network where that is let in (`lan`, networks)."""
    ip = ipaddress.ip_address(address.split("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_loopback or any(ip.version == network.version and ip in network for network in lan)


def judge(lines, lan=()):
    """Counts the calls, and finds those that must not be."""
    seen = Seen()
    for line in lines:
        found = CALL.match(line)
        if RESUMED.match(line) or not found:
            continue
        call, rest = found.groups()
        if call in OPENING:
            family = SOCKET.match(rest)
            name = family.group(1) if family else "?"
            seen.calls[f"{call} {name}"] += 1
            if name not in FAMILIES:
                seen.leaving.append(line.strip())
        elif call in SENDING:
            one(seen, call, rest, line, lan)
        elif call not in QUIET:
            seen.leaving.append(f"no rule for this call: {line.strip()}")
    return seen


def one(seen, call, rest, line, lan):
    """A call that may name an address."""
    named = ADDRESS.findall(rest)
    if not named:
        seen.calls[f"{call} on an open connection"] += 1
    for family, where in named:
        if family in ("AF_UNIX", "AF_NETLINK", "AF_UNSPEC"):
            # AF_UNSPEC takes a connection back.
            seen.calls[f"{call} {family}"] += 1
            continue
        address = (IPV4.search(where) or IPV6.search(where)) if family in FAMILIES else None
        if address is None:
            seen.leaving.append(line.strip())
            continue
        text = address.group(1)
        anywhere = call == "bind" and ipaddress.ip_address(text).is_unspecified
        if anywhere:
            # Listening on all addresses sends nothing; without an interface, that is loopback alone.
            seen.calls[f"bind {family} any"] += 1
        elif near(text, lan):
            kind = "loopback" if near(text, ()) else "local network"
            seen.calls[f"{call} {family} {kind}"] += 1
        else:
            seen.leaving.append(line.strip())


class Watched:
    """A program under the watch. strace stands aside as a grandchild, so signals reach the program itself."""

    def __init__(self, folder, name, argv, **options):
        self.trace = Path(folder) / f"{name}.strace"
        self.name = name
        # No strings: what is said over a socket is nobody's business here, and may be a secret.
        strace = ["strace", "-D", "-f", "-qq", "-s", "0", "-e", "trace=%network", "-e", "signal=none", "-o", str(self.trace), "--"]
        self.began = time.monotonic()
        self.process = subprocess.Popen([*strace, *argv], **options)

    def stop(self, seconds=20):
        """Asks it to stop, and gives its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def seen(self, lan=()):
        """What was seen of it, after it ended."""
        # The tracer writes the last lines when the program is gone.
        for _ in range(100):
            size = self.trace.stat().st_size if self.trace.exists() else -1
            time.sleep(0.02)
            if size >= 0 and size == self.trace.stat().st_size and not tracing(self.trace):
                break
        with open(self.trace, encoding="utf-8", errors="replace") as lines:
            return judge(lines, lan)


def tracing(trace):
    """Whether some process still has the file open."""
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if (process / "comm").read_text().strip() != "strace":
                continue
            if any(os.readlink(fd) == str(trace) for fd in (process / "fd").iterdir()):
                return True
        except OSError:
            continue
    return False
