"""What is tried offline, one function a scene. Each raises Wrong with what is not as it must be."""

import ipaddress
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import commands
import record
from house import PATIENCE_S, ROOT, Wrong, copied, interfaces, refused, until
from watch import Watched

# Debian's package faketime.
FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
LAN = [ipaddress.ip_network(net) for net in ("10.77.0.0/24", "224.0.0.0/24", "fe80::/10", "ff02::/16")]
# Each of these leaves the machine, or would: documentation addresses (RFC 5737, RFC 3849), a raw socket.
LEAVERS = {
    "a connection": "import socket; socket.create_connection(('192.0.2.1', 80), 1)",
    "a connection over IPv6": "import socket; s = socket.socket(socket.AF_INET6); s.connect(('2001:db8::1', 80))",
    "a question to a name server": "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'?', ('192.0.2.53', 53))",
    "a connected datagram": "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.connect(('192.0.2.1', 9))",
    "a raw socket": "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "a child's connection": "import subprocess, sys; subprocess.run([sys.executable, '-c', \"import socket; "
    "socket.create_connection(('192.0.2.1', 80), 1)\"])",
    "a bind to another address": "import socket; socket.socket().bind(('192.0.2.1', 0))",
}


def control(house):
    """The watch finds each program that reaches out, and none that stays."""
    for what, code in LEAVERS.items():
        watched = Watched(house.scratch, "control", [sys.executable, "-c", code], stderr=subprocess.DEVNULL)
        watched.process.wait(PATIENCE_S)
        if not watched.seen().leaving:
            raise Wrong(f"the watch did not see {what}")
    stays = "import socket; a = socket.create_server(('127.0.0.1', 0)); socket.create_connection(a.getsockname()); socket.socketpair()"
    watched = Watched(house.scratch, "control", [sys.executable, "-c", stays])
    if watched.process.wait(PATIENCE_S) or watched.seen().leaving:
        raise Wrong(f"the watch took loopback for another machine: {watched.seen().leaving}")
    house.say(f"control: the watch found {len(LEAVERS)} of {len(LEAVERS)} ways out, and none where there was none")


def bare(house):
    """Not even loopback: the platform starts, says what is in the way, and stops."""
    if interfaces():
        raise Wrong(f"the namespace is not empty: {interfaces()}")
    platform = house.serve("echo_os_prime without loopback", house.scratch / "bare")
    for words in ("no network: working alone", "ip link set lo up"):
        if words not in platform.said():
            raise Wrong(f"the platform does not say {words!r}: {platform.said()}")
    platform.stop()
    house.say("bare: the platform starts without any interface, and says so")


def tour(house):
    """The whole tour."""
    home = house.scratch / "home"
    said = house.run("echo_cli tour", [house.program("echo_cli"), "tour", "--once", "--keep", "--home", str(home)])
    if "[17/17]" not in said:
        raise Wrong(f"the tour did not end: {said[-600:]}")
    house.say("tour: a case from its opening to its proof and its bill, with no network")
    return home


def leaves(program, path=()):
    """Every subcommand that does something, as `--help` lists them."""
    asked = subprocess.run([program, *path, "--help"], capture_output=True, text=True)
    if asked.returncode:
        raise Wrong(f"{Path(program).name} {' '.join(path)} --help ended with {asked.returncode}: {asked.stderr[-400:]}")
    listed = re.search(r"^Commands:\n((?:  .*\n)+)", asked.stdout, re.MULTILINE)
    subs = [line.split()[0] for line in listed.group(1).splitlines() if re.match(r"  \S", line)] if listed else []
    subs = [sub for sub in subs if sub != "help"]
    return [leaf for sub in subs for leaf in leaves(program, (*path, sub))] if subs else [" ".join(path)]


def listed(house):
    """Each subcommand has a line in commands.py."""
    missing = []
    for name, steps in (("echo_cli", commands.PERSON + commands.HOME), ("echo_probe", commands.PROBE)):
        known = {step.leaf for step in steps} | commands.ELSEWHERE[name]
        missing += [f"{name} {leaf}" for leaf in leaves(house.program(name)) if leaf not in known]
    if missing:
        raise Wrong(f"tests/offline/commands.py has no line for: {', '.join(missing)}")
    house.say(f"listed: all {len(commands.PERSON + commands.HOME + commands.PROBE)} subcommands have a line")


def every(house, home, picture):
    """Every subcommand of `echo_cli` and `echo_probe`, and a probe that runs."""
    kept = known(house, home)
    platform = house.serve("echo_os_prime", home, "--mesh")
    kept.update(url=platform.url, link=platform.link)
    if "no network: working alone" not in platform.said():
        raise Wrong(f"the platform does not say that it is alone: {platform.said()}")
    early, late = split(commands.PERSON, "case ask")
    walk(house, "echo_cli", early, kept, "{person}")
    walk(house, "echo_probe", commands.PROBE, kept)
    probe(house, kept)
    picture(platform.url, kept["guest_link"])
    walk(house, "echo_cli", late, kept, "{person}")
    house.timings["ready without a network, seconds"] = round(platform.ready_seconds, 3)
    house.timings["resident, KiB"] = platform.resident_kib()
    policy = fetched(platform.url + "v1/ledgers/genesis/policy")
    (house.scratch / "policy").write_text(policy)
    platform.stop()
    walk(house, "echo_cli", commands.HOME, kept, "{home}")
    house.say("every: each subcommand did its work, or said why not")


def split(steps, leaf):
    at = next(number for number, step in enumerate(steps) if step.leaf == leaf)
    return steps[:at], steps[at:]


def fetched(url):
    import urllib.request

    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        return answer.read().decode()


def walk(house, program, steps, kept, folder=None):
    """Takes the steps one after the other, and notes which went wrong."""
    wrong = []
    for step in steps:
        try:
            argv = [house.program(program), *(["--home", folder.format(**kept)] if folder else []), *step.argv(kept)]
            said = house.run(f"{program} {step.leaf}", argv, step.codes, step.stdin.format(**kept))
        except (Wrong, KeyError) as error:
            wrong.append(f"{program} {step.leaf}: {error}")
            continue
        for keep in step.keep:
            name, prefix = keep.split("=")
            found = re.search(rf"{prefix}_?[0-9a-zA-Z]{{20,}}", said)
            if found is None:
                wrong.append(f"{program} {step.leaf} names no {prefix}: {said[:300]}")
            else:
                kept[name] = found.group(0)
        if step.leaf == "witness vkey":
            kept["witness_vkey"] = said.strip().splitlines()[0]
        if step.leaf == "user link":
            kept["guest_link"] = re.search(r"http\S+#token=[\w.]+", said).group(0)
    # The steps that follow tell more about what is the matter: all is said at the end.
    house.wrong.extend(wrong)


def known(house, home):
    """What the steps are told: folders, and ids from the tour."""
    root = re.search(r"sha256:[0-9a-f]{64}", (home / "Sovereign_Trust_Root.md").read_text()).group(0)
    receipt = sorted((home / "ledger").glob("rcpt_*.entry"))[0]
    attestation = house.scratch / "attestation.json"
    attestation.write_text(record.unsigned([("passphrase", b"")], {}))
    (house.scratch / "passphrase").write_text("an old grey horse\n")
    (house.scratch / "passphrase").chmod(0o600)
    rows = [f'"my {word} does not work any more, it says {n}",{word}' for n in range(40) for word in ("printer", "mail")]
    (house.scratch / "tickets.csv").write_text("\n".join(["Document,Topic_group", *rows]) + "\n")
    (house.scratch / "note.md").write_text("# A note\n\nThe printer in the cellar needs paper.\n")
    for name, text in (("documents/note.md", "One line.\n"), ("bin/echo_os_prime", "#!/bin/sh\necho echo_os_prime 1.0.0\n")):
        staged = house.scratch / "stage" / name
        staged.parent.mkdir(parents=True)
        staged.write_text(text)
        staged.chmod(0o755)
    hello = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "offline", "version": "1"}},
    }  # fmt: skip
    return {
        "scratch": str(house.scratch), "home": str(home), "person": str(house.scratch / "person"),
        "probe": str(house.scratch / "probe"), "repository": str(ROOT), "root": root,
        "trust": str(home / "sovereign_trust_registry.json"), "entry": str(receipt), "proof": str(receipt.with_suffix(".tlog-proof")),
        "aeterna_vkey": shlex.quote((home / "aeterna_ledger/log.vkey").read_text().strip()),
        "log_vkey": (home / "genesis_ledger/log.vkey").read_text().strip(),
        "log_origin": (home / "genesis_ledger/log.vkey").read_text().split("+")[0],
        "attestation": str(attestation), "key": "none",
        "policy": str(sorted((home / "policies").glob("*.y*ml"))[0]), "mcp": json.dumps(hello) + "\n",
    }  # fmt: skip


def probe(house, kept):
    """A probe that runs: pulses reach the platform."""
    argv = [house.program("echo_probe"), "run", "--home", kept["probe"], "--pulse-seconds", "1"]
    house.count += 1
    log = house.scratch / "probe.log"
    with open(log, "w") as out:
        watched = Watched(house.scratch, f"{house.count:03}", argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    device = json.loads(house.run("echo_probe status", [house.program("echo_probe"), "status", "--home", kept["probe"], "--json"]))
    try:
        show = [house.program("echo_cli"), "--home", kept["person"], "--json", "device", "show", device["device"]]
        until("a pulse", lambda: '"online"' in house.run("echo_cli device show", show))
    finally:
        code = watched.stop()
    house.note("echo_probe run", watched.seen())
    house.tell("echo_probe run", argv, code, time.monotonic() - watched.began, log.read_text())


def at(when):
    """The environment of a program whose clock says `when`; what cannot be set goes on."""
    return {"LD_PRELOAD": str(FAKETIME[-1]), "FAKETIME": f"@{when}", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}


def clock(house, home):
    """A clock in 1970 and in 2099: refused, nothing is touched, and right again all is as it was."""
    if not FAKETIME:
        house.say("clock: NOT RUN: Debian's package faketime is missing")
        return
    spoilt = copied(house, "clock", home)
    before = files(spoilt)
    for when, words in (("1970-01-01 00:00:10", "before 2026"), ("2099-01-01 00:00:00", "days after")):
        said = refused(house, "echo_os_prime by a wrong clock", spoilt, env=at(when))
        for word in (words, "nothing was touched", "--accept-clock"):
            if word not in said:
                raise Wrong(f"at {when} the platform does not say {word!r}: {said}")
        changed = {name for name, kept in files(spoilt).items() if before.get(name) != kept}
        if changed:
            raise Wrong(f"at {when} these files changed: {changed}")
    said = refused(house, "echo_os_prime by a wrong clock", house.scratch / "new", env=at("1970-01-01 00:00:10"))
    if (house.scratch / "new").exists():
        raise Wrong(f"a home was founded in 1970: {said}")
    platform = house.serve("echo_os_prime", spoilt)
    kept = {"person": str(house.scratch / "clock-person"), "link": platform.link}
    walk(house, "echo_cli", commands.PERSON[:1], kept, "{person}")
    health = [house.program("echo_cli"), "--home", kept["person"], "--json", "health"]
    told = json.loads(house.run("echo_cli health", health))
    if not told["ready"] or told["clock_set"]:
        raise Wrong(f"after the wrong clocks: {told}")
    platform.stop()
    # Ten years in a drawer, on a person's word.
    later = time.gmtime(time.time() + 3_650 * 24 * 3600)
    accepted(house, spoilt, time.strftime("%Y-%m-%d %H:%M:%S", later), "at_start", ["--accept-clock"])
    house.say("clock: 1970 and 2099 are refused and leave every byte as it was; years later is taken on a person's word, signed")


def accepted(house, home, when, noticed, arguments):
    platform = house.serve("echo_os_prime by an accepted clock", home, *arguments, env=at(when))
    person = str(house.scratch / "later-person")
    walk_env = at(when)
    house.run("echo_cli login", [house.program("echo_cli"), "--home", person, "login", "--link", "-"], stdin=platform.link, env=walk_env)
    told = json.loads(house.run("echo_cli health", [house.program("echo_cli"), "--home", person, "--json", "health"], env=walk_env))
    [event] = told["clock_set"]
    if not told["ready"] or event["noticed"] != noticed or not event["accepted"]:
        raise Wrong(f"the accepted clock: {told}")
    platform.stop()
    fsck = [house.program("echo_cli"), "ledger", "fsck", str(home / "genesis_ledger")]
    house.run("echo_cli ledger fsck", fsck)


def files(home):
    """What each file of a home holds but locks and the database's journal, which a start may make anew."""
    passing = (".lock", "-wal", "-shm", ".log", ".db")
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and not path.name.endswith(passing)
    }


SETTINGS = """offline = true
[mesh]
enabled = true
peers = ["192.0.2.1:4000", "peer.example.org:4000"]
gateways = ["wss://gateway.example.org", "ws://192.0.2.2"]
stun = ["stun.example.org:3478", "192.0.2.3:3478"]
[models.endpoint]
url = "http://192.0.2.4/v1"
text = "big"
"""


def lan(house, home):
    """Offline by its settings, with a mesh: an interface that comes later is used, and nothing beyond it, though a way leads out."""
    place = copied(house, "lan", home)
    (place / "echo.toml").write_text(SETTINGS)
    platform = house.serve("echo_os_prime on a local network", place)
    person = {"person": str(house.scratch / "lan-person"), "link": platform.link, "url": platform.url}
    walk(house, "echo_cli", commands.PERSON[:1], person, "{person}")
    ask = lambda *words: house.run(f"echo_cli {words[0]}", [house.program("echo_cli"), "--home", person["person"], "--json", *words])  # noqa: E731
    customer = re.search(r"cus_[0-9a-f]{32}", ask("customer", "list")).group(0)
    token = str(house.scratch / "lan-token")
    ask("device", "token", "--customer", customer, "--out", token)
    device = str(house.scratch / "lan-probe")
    enroll = ["enroll", "--url", platform.url, "--token-file", token, "--home", device, "--name", "neighbour"]
    house.run("echo_probe enroll", [house.program("echo_probe"), *enroll])
    vkey = re.search(r"[\w./-]+\+[0-9a-f]{8}\+[\w+/=]+", ask("witness", "vkey")).group(0)
    ask("witness", "add", "harbour", vkey, "https://192.0.2.5/w")
    ask("witness", "ask")
    host = subprocess.Popen(["unshare", "--net", "sleep", "600"])
    try:
        neighbour(house, host.pid, device, ask, platform)
    finally:
        host.kill()
        host.wait()
    off = until("the witness is off", lambda: re.search(r"this witness is off[^\"]*", ask("witness", "status")))
    doctor = ask("mesh", "doctor")
    for word in ("gateway is off", "peer is off"):
        if word not in doctor:
            raise Wrong(f"the mesh's doctor does not say {word!r}: {doctor[-2000:]}")
    platform.stop(LAN)
    if "STUN or TURN server is off" not in platform.said():
        raise Wrong(f"the platform does not say that STUN is off: {platform.said()}")
    house.say(f"lan: a neighbour was met on an interface that came later; beyond it nothing was tried ({off.group(0)[:60]}...)")


def neighbour(house, pid, device, ask, platform):
    """Another host with a probe, joined by a cable while both run."""
    until("the other namespace", lambda: os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net"))
    there = ["nsenter", "--target", str(pid), "--net"]
    run = lambda *words: subprocess.run(words, check=True)  # noqa: E731
    run(*there, "ip", "link", "set", "lo", "up")
    argv = [*there, house.program("echo_probe"), "run", "--home", device, "--mesh", "--pulse-seconds", "1"]
    log = house.scratch / "lan-probe.log"
    house.count += 1
    with open(log, "w") as out:
        watched = Watched(house.scratch, f"{house.count:03}", argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        time.sleep(2)
        if '"reachable": true' in ask("mesh", "nodes"):
            raise Wrong("a node is reached without a network")
        run("ip", "link", "add", "cable0", "type", "veth", "peer", "name", "cable0", "netns", str(pid))
        run("ip", "address", "add", "10.77.0.1/24", "dev", "cable0")
        run(*there, "ip", "address", "add", "10.77.0.2/24", "dev", "cable0")
        run(*there, "ip", "link", "set", "cable0", "up")
        run("ip", "link", "set", "cable0", "up")
        # A way out that nobody may take.
        run("ip", "route", "add", "default", "via", "10.77.0.2")
        began = time.monotonic()
        until("the neighbour", lambda: '"reachable": true' in ask("mesh", "nodes"))
        house.timings["a neighbour on a cable that was put in, seconds"] = round(time.monotonic() - began, 1)
        health = json.loads(ask("health"))
        if health["network"] != {"connection": "routed", "offline": True}:
            raise Wrong(f"the health says of the network: {health['network']}")
        if "offline by its settings" not in platform.said():
            raise Wrong(f"the platform does not say that it works offline: {platform.said()}")
        # Long enough for what is tried now and then.
        time.sleep(8)
    finally:
        code = watched.stop()
    house.note("echo_probe run on a local network", watched.seen(LAN))
    house.tell("echo_probe run on a local network", argv, code, time.monotonic() - watched.began, log.read_text())
    if code != 0:
        raise Wrong(f"the probe ended with {code}: {log.read_text()[-800:]}")
