"""Who sees whom by mDNS: Avahi and python-zeroconf, across a switch, both ways; and a program of ours among them.

    mdns_check.py                                Avahi and zeroconf before one another
    mdns_check.py --announce COMMAND             they see what COMMAND announces, and in it no identity
    mdns_check.py --browse COMMAND               COMMAND prints the instances that they announce

The commands are run by a shell in a host of their own until they are ended; `{address}` in them is the host's IPv4
address. scripts/need field mesh-python; run it with that Python.
"""

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path

import field
import servers

SERVICE = "_echo-mesh._tcp"
PORT = 4713
SEEN_TIMEOUT_S = 10
# Nobody may learn who a node is from what it announces: a did:key, an id of Echo's, a customer's.
IDENTITY = re.compile(rb"did:key|z6Mk|dev_[0-9a-f]|cus_[0-9a-f]|node-manifest", re.IGNORECASE)

# Announces an instance until it is ended.
ANNOUNCE = """
import socket, sys, time
from zeroconf import ServiceInfo, Zeroconf
name, service, port, *addresses = sys.argv[1:]
zeroconf = Zeroconf(interfaces=addresses)
packed = [socket.inet_pton(socket.AF_INET6 if ":" in a else socket.AF_INET, a) for a in addresses]
zeroconf.register_service(ServiceInfo(f"{service}.local.", f"{name}.{service}.local.", int(port), addresses=packed,
    properties={"v": "1"}, server=f"{socket.gethostname()}.local."))
print("announced", flush=True)
time.sleep(3600)
"""
# Prints every instance that it sees: name, addresses, port, properties.
BROWSE = """
import sys, time
from zeroconf import ServiceBrowser, ServiceListener, Zeroconf
service, *addresses = sys.argv[1:]
class Listener(ServiceListener):
    def add_service(self, zeroconf, kind, name):
        info = zeroconf.get_service_info(kind, name)
        print(name, *(info.parsed_addresses() if info else ()), info and info.port, info and info.properties, flush=True)
    update_service = add_service
    def remove_service(self, *_): pass
ServiceBrowser(Zeroconf(interfaces=addresses), f"{service}.local.", Listener())
time.sleep(3600)
"""


def main():
    """Runs the checks; the exit status."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--announce", help="a command that announces a node")
    options.add_argument("--browse", help="a command that prints the instances it sees")
    options.add_argument("--logs", help="folder of the programs' logs")
    chosen = options.parse_args()
    try:
        field.enter()
    except field.Skip as why:
        print(f"NOT RUN: {why}")
        return 0
    with tempfile.TemporaryDirectory() as scratch, field.Field(chosen.logs or scratch) as f:
        checks(f, chosen)
    return 0


def checks(f, chosen):
    """A host for each: they know one another by the wire alone."""
    bonjour, snake, ours = f.host("avahi"), f.host("zeroconf"), f.host("ours")
    servers.avahi(bonjour)
    python = sys.executable
    bonjour.start("publish", ["avahi-publish", "-s", "from-avahi", SERVICE, PORT, "v=1"])
    snake.start("publish", [python, "-c", ANNOUNCE, "from-zeroconf", SERVICE, PORT, snake.ipv4])
    bonjour.start("browse", ["avahi-browse", "--resolve", "--parsable", SERVICE])
    snake.start("browse", [python, "-u", "-c", BROWSE, SERVICE, snake.ipv4])
    sees("Avahi sees what zeroconf announces", bonjour.log("browse"), f"=;.*from-zeroconf.*;{snake.ipv4};{PORT};")
    sees("zeroconf sees what Avahi announces", snake.log("browse"), f"from-avahi.*{bonjour.ipv4}.* {PORT} ")
    if chosen.announce:
        ours.start("announce", ["sh", "-c", chosen.announce.replace("{address}", ours.ipv4)])
        address = re.escape(ours.ipv4)
        at_avahi = sees("Avahi sees what the program announces", bonjour.log("browse"), rf"=;.*;{address};\d+;.*")
        at_zeroconf = sees("zeroconf sees what the program announces", snake.log("browse"), f".*{address}.*")
        for what, line in (("Avahi", at_avahi), ("zeroconf", at_zeroconf)):
            print(f"     {what}: {line.decode(errors='replace')}")
            verdict("what it announces names no identity", not IDENTITY.search(line))
    if chosen.browse:
        ours.start("browse", ["sh", "-c", chosen.browse.replace("{address}", ours.ipv4)])
        for name in ("from-avahi", "from-zeroconf"):
            sees(f"the program sees {name}", ours.log("browse"), f".*{name}.*")


def sees(what, log, pattern):
    """The line of a log that matches, once it is there."""
    wanted = re.compile(pattern.encode(), re.MULTILINE)
    until = time.monotonic() + SEEN_TIMEOUT_S
    found = None
    while not found and time.monotonic() < until:
        time.sleep(0.05)
        found = wanted.search(Path(log).read_bytes())
    verdict(f"{what} ({SEEN_TIMEOUT_S - until + time.monotonic():.2f} s)", found)
    return found[0]


def verdict(what, holds):
    """Prints it; ends the run when it does not hold."""
    print(f"{'ok  ' if holds else 'FAIL'} {what}", flush=True)
    if not holds:
        raise SystemExit(1)


if __name__ == "__main__":
    sys.exit(main())
