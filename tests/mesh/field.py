"""A field for the mesh: hosts, a switch and cables made of namespaces, which can be cut, split and bent.

    with field.Field(logs) as f:
        a, b = f.host("anna"), f.host("bert")
        probe = a.start("probe", ["echo_probe", ...])
        f.cut(b)

Call `enter()` first: the program goes on in namespaces of its own (network, mounts, processes). When it ends, whatever
way, the kernel ends everything that it started and takes the field away; nothing of it is seen from outside.

A host is a network, a hostname and a /run of its own; files and the clock it shares with all others. Linux has no wall
clock by namespace: a program that is to run with a wrong clock needs a flag for it. The kernel need not have netem:
loss is nftables' (`lose`), a narrow cable the token bucket's (`narrow`), delay a program's (`delay`, delay_box.py).

`field.py` alone runs a self-test of every verb. Linux, iproute2, nftables and util-linux; as root, or as anybody where
unprivileged user namespaces are allowed.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

# sched.h, sys/mount.h and sys/prctl.h.
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x10000000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG = 1

TOOLS = {"ip": "iproute2", "nft": "nftables", "nsenter": "util-linux", "unshare": "util-linux"}
COMMAND_TIMEOUT_S = 60
STOP_TIMEOUT_S = 10
MAX_HOSTS = 250


class Skip(Exception):
    """This machine cannot make a field; the text says why."""


class Failed(Exception):
    """A command failed, or did not end in time."""


def enter():
    """Goes on in namespaces of its own, as their first process. Raises `Skip` where there can be none."""
    missing = [f"{tool} ({package})" for tool, package in TOOLS.items() if not _on_path(tool)]
    if missing:
        raise Skip(f"missing: {', '.join(missing)}")
    sys.stdout.flush()
    sys.stderr.flush()
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | (CLONE_NEWUSER if user else 0)
    if libc.unshare(flags) != 0:
        raise Skip(f"no namespaces here: unshare: {os.strerror(ctypes.get_errno())}")
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    child = os.fork()
    if child:
        _stand_by(child)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # A terminal tells both processes; one word is enough. The first process of a namespace hears none without a
    # handler.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        _sh("mount", "--make-rprivate", "/")
        _sh("mount", "-t", "proc", "proc", "/proc")
        _sh("mount", "-t", "sysfs", "sysfs", "/sys")
        _sh("ip", "link", "set", "lo", "up")
        # What a field needs of the kernel, tried before anything depends on it.
        _sh("ip", "link", "add", "trial", "type", "bridge")
        _sh("ip", "link", "del", "trial")
        _sh("nft", "list", "ruleset")
    except Failed as error:
        raise Skip(str(error)) from error


def _stand_by(child):
    """The process outside: waits for the one inside, and tells it to end when it is told to itself."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: os.kill(child, signal.SIGTERM))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os._exit(code if code >= 0 else 128 - code)


def _on_path(tool):
    folders = [*os.environ["PATH"].split(":"), "/usr/sbin", "/sbin"]
    return any(os.access(Path(folder, tool), os.X_OK) for folder in folders)


def _sh(*command, timeout=COMMAND_TIMEOUT_S, **options):
    """Runs a command to its end; its output is the result."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, **options)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"{' '.join(words)}: {error}") from error
    if done.returncode != 0:
        raise Failed(f"{' '.join(words)}: status {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


class Host:
    """A machine in the field: its own network, hostname and /run."""

    def __init__(self, field, name, number):
        self.field, self.name, self.number = field, name, number
        self.generation = 0
        # The end of its cable at the switch; behind a NAT, that of the router's. Then what is plugged into the switch:
        # the same, or the box that delays.
        self.port = self.plug = f"port{number}"
        self.box = None
        self.router = None
        # What holds the namespaces open.
        holder = "mount -t tmpfs tmpfs /run && hostname \"$0\" && echo && exec sleep infinity"
        command = ["unshare", "--net", "--mount", "--uts", "sh", "-c", holder, name]
        self.holder = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        if not self.holder.stdout.readline():
            raise Failed(f"host {name} could not be made")
        self.run("ip", "link", "set", "lo", "up")
        self.processes = []

    @property
    def ipv4(self):
        """Its address on the switch."""
        return f"10.77.{self.generation}.{self.number}"

    @property
    def ipv6(self):
        """The same for IPv6."""
        return f"fd77::{self.generation:x}:{self.number:x}"

    @property
    def link_local(self):
        """Its address of this cable alone."""
        return f"fe80::{self.generation:x}:{self.number:x}"

    def inside(self, command):
        """The command line that runs `command` in this host."""
        enter_it = ["nsenter", f"--target={self.holder.pid}", "--net", "--mount", "--uts", f"--wd={os.getcwd()}", "--"]
        return enter_it + [str(word) for word in command]

    def run(self, *command, timeout=COMMAND_TIMEOUT_S, **options):
        """Runs a command to its end; its output is the result. Raises `Failed`."""
        return _sh(*self.inside(command), timeout=timeout, **options)

    def start(self, name, command, **options):
        """Starts a program; it writes to `HOST-NAME.log` unless `options` (subprocess.Popen's) say otherwise."""
        with open(self.log(name), "ab") as log:
            chosen = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **options}
            process = subprocess.Popen(self.inside(command), **chosen)
        self.processes.append(process)
        return process

    def log(self, name):
        """The log of the program that was started by this name."""
        return self.field.logs / f"{self.name}-{name}.log"

    def reaches(self, address, seconds=1):
        """Whether one ICMP echo comes back from an address."""
        with contextlib.suppress(Failed):
            self.run("ping", "-c", 1, "-W", seconds, address)
            return True
        return False

    def nft(self, rules):
        """Puts nftables rules (a script) in force."""
        self.run("nft", "-f", "-", input=rules)


class Field:
    """Hosts on a switch."""

    def __init__(self, logs):
        self.logs = Path(logs)
        self.logs.mkdir(parents=True, exist_ok=True)
        self.hosts = {}
        self.switches = 0
        self._switch("switch")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Stops every program, politely first, and takes the hosts away."""
        running = [p for host in self.hosts.values() for p in host.processes if p.poll() is None]
        for process in running:
            process.terminate()
        until = time.monotonic() + STOP_TIMEOUT_S
        for process in running:
            try:
                process.wait(max(0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for host in self.hosts.values():
            for process in filter(None, (host.holder, host.box)):
                process.kill()
                process.wait()
        self.hosts.clear()

    def _switch(self, name):
        # A switch that snoops waits for queries that nobody sends here, and then forgets who listens.
        _sh("ip", "link", "add", name, "type", "bridge", "mcast_snooping", 0, "stp_state", 0, "forward_delay", 0)
        _sh("ip", "link", "set", name, "addrgenmode", "none", "up")
        return name

    def host(self, name):
        """A new host, plugged into the switch: IPv4, IPv6 and multicast, no way to the internet."""
        if name in self.hosts or len(self.hosts) >= MAX_HOSTS:
            raise ValueError(f"host {name}: taken, or one more than {MAX_HOSTS}")
        host = self.hosts[name] = Host(self, name, len(self.hosts) + 1)
        _sh("ip", "link", "add", host.port, "type", "veth", "peer", "name", "eth0", "netns", host.holder.pid)
        _sh("ip", "link", "set", host.port, "addrgenmode", "none", "master", "switch", "up")
        # Addresses are all given by hand: the kernel's own would outlive a renumbering.
        host.run("ip", "link", "set", "eth0", "addrgenmode", "none", "up")
        self._number(host)
        return host

    def _number(self, host):
        host.run("ip", "address", "flush", "dev", "eth0")
        host.run("ip", "address", "add", f"{host.ipv4}/16", "broadcast", "10.77.255.255", "dev", "eth0")
        for address in (host.ipv6, host.link_local):
            host.run("ip", "address", "add", f"{address}/64", "dev", "eth0", "nodad")

    # The verbs.

    def cut(self, host):
        """Pulls a host's cable out: it sees its link go down."""
        _sh("ip", "link", "set", host.port, "down")

    def mend(self, host):
        """Plugs it in again, after `cut` or `mute`."""
        _sh("ip", "link", "set", host.port, "up")
        _sh("ip", "link", "set", host.plug, "master", "switch")

    def mute(self, host):
        """The cable beyond the next box is cut: the link stays up and nothing passes."""
        _sh("ip", "link", "set", host.plug, "nomaster")

    def partition(self, *groups):
        """Splits the switch: hosts reach those of their own group alone. Hosts that are not named stay where they are."""
        for group in groups:
            self.switches += 1
            switch = self._switch(f"switch{self.switches}")
            for host in group:
                _sh("ip", "link", "set", host.plug, "master", switch)

    def merge(self):
        """Puts every host back on one switch."""
        for host in self.hosts.values():
            _sh("ip", "link", "set", host.plug, "master", "switch")
        for number in range(1, self.switches + 1):
            _sh("ip", "link", "del", f"switch{number}")
        self.switches = 0

    def renumber(self, host):
        """Gives a host other addresses of every kind, without a gap in the cable."""
        if host.router:
            raise ValueError(f"{host.name} is behind a NAT: renumber its router")
        host.generation += 1
        self._number(host)

    def drop_udp(self, host, keep=()):
        """A host's cable carries no UDP but to and from the ports `keep` (5353 is mDNS): a strict firewall."""
        ports = ", ".join(map(str, keep))
        kept = "".join(f"udp {side} {{ {ports} }} accept\n" for side in ("sport", "dport") if keep)
        self._filter(host, "no_udp", f"{kept}meta l4proto udp counter drop")

    def allow_udp(self, host):
        """The end of `drop_udp`."""
        self._filter(host, "no_udp", None)

    def lose(self, host, percent):
        """A host's cable loses this share of the packets at random, each way; 0 ends it."""
        self._filter(host, "lossy", f"numgen random mod 100 < {int(percent)} counter drop" if percent else None)

    def _filter(self, host, table, rules):
        """Filters what comes out of either end of a cable: a program whose own machine drops what it sends is told."""
        name = f"{table}_{host.port}"
        edge = host.router or host
        for nft, device in ((edge.nft, "eth0"), (self._nft, host.port)):
            # Adding what is there already is no error, deleting what is not is one.
            script = f"add table netdev {name}\ndelete table netdev {name}\n"
            if rules:
                chain = f'type filter hook ingress device "{device}" priority 0;'
                script += f"table netdev {name} {{ chain cable {{ {chain}\n{rules}\n}}\n}}\n"
            nft(script)

    @staticmethod
    def _nft(rules):
        _sh("nft", "-f", "-", input=rules)

    def narrow(self, host, mbit):
        """A cable of so many Mbit/s, each way; None ends it."""
        for run, device in (((host.router or host).run, "eth0"), (_sh, host.port)):
            if mbit is None:
                run("tc", "qdisc", "del", "dev", device, "root")
            else:
                rate = ["rate", f"{mbit}mbit", "burst", "16kb", "latency", "50ms"]
                run("tc", "qdisc", "replace", "dev", device, "root", "tbf", *rate)

    def delay(self, host, milliseconds, jitter=0):
        """Keeps every frame of a host's cable back so long, each way, and up to `jitter` more; None ends it."""
        if host.box:
            host.box.kill()
            host.box.wait()
            _sh("ip", "link", "del", host.plug)
            host.box, host.plug = None, host.port
        if milliseconds is None:
            _sh("ip", "link", "set", host.port, "master", "switch")
            return
        inner, outer = f"in{host.port}", f"out{host.port}"
        _sh("ip", "link", "add", inner, "type", "veth", "peer", "name", outer)
        for device in (inner, outer):
            _sh("ip", "link", "set", device, "addrgenmode", "none", "up")
        _sh("ip", "link", "set", host.port, "nomaster")
        _sh("ip", "link", "set", outer, "master", "switch")
        command = [sys.executable, Path(__file__).with_name("delay_box.py"), host.port, inner, milliseconds, jitter]
        host.box = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        host.plug = outer
        if not host.box.stdout.readline():
            raise Failed(f"the box that delays {host.name} does not start")

    def nat(self, host, symmetric=False):
        """Puts a router with IPv4 NAT between a host and the switch; the host is 192.168.N.2 now, and has no IPv6.

        The mapping keeps a port where it can, as most home routers do; a symmetric one takes another port for every
        destination, so that what STUN says of it helps nobody. Returns the router; `cut` and its like act on the router's
        cable now.
        """
        if host.box:
            self.delay(host, None)
        router = host.router = self.host(f"{host.name}-nat")
        lan = f"192.168.{host.number}"
        _sh("ip", "link", "del", host.port)
        host.port = host.plug = router.port
        host.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "lan", "netns", router.holder.pid)
        host.run("ip", "link", "set", "eth0", "addrgenmode", "none", "up")
        host.run("ip", "address", "add", f"{lan}.2/24", "dev", "eth0")
        host.run("ip", "route", "add", "default", "via", f"{lan}.1")
        router.run("ip", "link", "set", "lan", "addrgenmode", "none", "up")
        router.run("ip", "address", "add", f"{lan}.1/24", "dev", "lan")
        router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        random = " fully-random" if symmetric else ""
        router.nft(
            "table ip nat {\n"
            f'chain out {{ type nat hook postrouting priority 100; oifname "eth0" masquerade{random}\n}}\n'
            "chain forward { type filter hook forward priority 0; policy drop;\n"
            'iifname "lan" accept\nct state established,related accept\n}\n}'
        )
        return router


if __name__ == "__main__":
    import self_test

    sys.exit(self_test.main())
