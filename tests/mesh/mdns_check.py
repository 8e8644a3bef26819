"""Who sees whom by mDNS: Avahi and python-zeroconf, across a switch, both ways; and Echo among them.

    mdns_check.py                                Avahi and zeroconf before one another
    mdns_check.py --programs DIR                 and a platform and a device of Echo's before both: who they are is not to
                                                 be seen; they knock at what the others announce, and say how that went
    mdns_check.py --announce COMMAND             they see what COMMAND announces, and in it no identity
    mdns_check.py --browse COMMAND               COMMAND prints the instances that they announce

The commands are run by a shell in a host of their own until they are ended; `{address}` in them is the host's IPv4
address. scripts/need field mesh-python; run it with that Python.
"""

import argparse
import json
import re
import sys
import tempfile
import time
from pathlib import Path

import field
import servers
from house import Device, Platform, Wrong, until

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
# Sits where an instance says that it listens: prints the offers that come, and refuses each.
DOORMAN = """
import base64, json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Doorman(BaseHTTPRequestHandler):
    def do_POST(self):
        signed = json.loads(self.rfile.read(int(self.headers["content-length"])))
        offer = json.loads(base64.b64decode(signed["body"]["payload"]))
        print(json.dumps({"from": offer["from"], "token": offer.get("token")}), flush=True)
        refused = {"session": offer["session"], "code": "other_realm", "reason": sys.argv[3], "registry": 1}
        body = json.dumps({"status": 403, "title": "refused", "refused": refused}).encode()
        self.send_response(403)
        self.send_header("content-type", "application/problem+json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
HTTPServer((sys.argv[1], int(sys.argv[2])), Doorman).serve_forever()
"""


def main():
    """Runs the checks; the exit status."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--programs", type=Path, help="the folder of Echo's programs")
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
        try:
            checks(f, chosen, Path(scratch))
        except (Wrong, field.Failed) as why:
            print(f"FAIL {why}", flush=True)
            return 1
    return 0


def checks(f, chosen, folder):
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
    if chosen.programs:
        echo(f, chosen.programs.resolve(), folder, bonjour, snake)
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


def echo(f, programs, folder, bonjour, snake):
    """A platform and a device of Echo's are seen by both and known by none; and knock at what both announce."""
    platform = Platform(f.host("hub"), programs, folder)
    device = Device(f.host("anna"), platform, folder)
    for host, name in ((bonjour, "from-avahi"), (snake, "from-zeroconf")):
        host.start("doorman", [sys.executable, "-c", DOORMAN, host.ipv4, PORT, f"nobody lives at {name}"])
    device.start()
    secrets = [word.encode() for word in (device.did, device.id, platform.customer, "anna", "hub", "Echo ", "Harbour")]
    for who, host in (("the platform", platform.host), ("the device", device.host)):
        address = re.escape(host.ipv4)
        for other, at, pattern in (("Avahi", bonjour, rf"=;.*;{address};\d+;.*"), ("zeroconf", snake, rf".* {address} .*")):
            line = sees(f"{other} sees {who}", at.log("browse"), pattern)
            print(f"     {line.decode(errors='replace')}")
            verdict("what it announces names no identity", not IDENTITY.search(line) and not any(s in line for s in secrets))
    until("the two are linked", lambda: device.sees("Echo"))
    links = device.mesh("status")["view"]["links"]
    members = {member["node"] for member in device.mesh("status")["view"]["members"]}
    for host, name in ((bonjour, "from-avahi"), (snake, "from-zeroconf")):
        def knocked(host=host, name=name):
            offers = [json.loads(line) for line in host.log("doorman").read_text().splitlines()]
            return {device.did} | members <= {offer["from"] for offer in offers if offer["token"] == name}
        _, took = until(f"the device and the platform knock at {name}", knocked)
        verdict(f"the device and the platform knock at {name}, each with the token that was announced ({took:.2f} s)", True)

        def told(name=name):
            return next((f for f in device.findings() if f["cause"] == "refused" and name in f["because"]), None)
        finding, _ = until(f"the doctor says what came of {name}", told)
        print(f"     {finding['what']}: {finding['because']}")
        verdict(f"the doctor says what came of {name}, and nobody was met there", finding["about"] is None)
    view = device.mesh("status")["view"]
    verdict("nothing that was announced changed whom the device knows", {m["node"] for m in view["members"]} == members
            and [link["node"] for link in view["links"]] == [link["node"] for link in links])


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
