"""A platform and its devices on hosts of a field, as a person would run and ask them; and how a story about them is told."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import datetime
from pathlib import Path

import field

PATIENCE_S = 60
PULSE_S = 1
DAY_S = 24 * 3600
# What makes a program read another time of day (Debian's package faketime).
FAKETIME = "usr/lib/*/faketime/libfaketime.so.1"


class Wrong(Exception):
    """Something is not as it must be."""


def until(what, look, seconds=PATIENCE_S):
    """Looks again and again until there is an answer that counts, and gives it with the seconds it took."""
    began = time.monotonic()
    last = None
    while time.monotonic() - began < seconds:
        try:
            last = look()
            if last:
                return last, time.monotonic() - began
        except (field.Failed, Wrong, KeyError, ValueError) as error:
            last = error
        time.sleep(0.25)
    raise Wrong(f"not within {seconds} s: {what}; the last look gave {last!r}")


def options(about):
    """The command line of a story: where Echo's programs are, and what stays afterwards."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", default=os.environ.get("CARGO_TARGET_DIR", "target") + "/debug")
    parser.add_argument("--keep", metavar="FOLDER", help="write homes and logs here, and leave them")
    return parser


def tell(chosen, story):
    """Has `story(field, programs, folder)` told on a field of its own, and says how it ended; the exit status."""
    try:
        field.enter()
    except field.Skip as why:
        print(f"NOT RUN: {why}")
        return 0
    folder = Path(chosen.keep or tempfile.mkdtemp(prefix="echo-story-")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with field.Field(folder / "logs") as f:
            story(f, Path(chosen.programs).resolve(), folder)
    except (Wrong, field.Failed, OSError, subprocess.SubprocessError) as why:
        print(f"FAILED: {why}", file=sys.stderr)
        for log in sorted((folder / "logs").glob("*.log")):
            print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-15:], sep="\n", file=sys.stderr)
        return 1
    finally:
        if not chosen.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print("1 passed, 0 failed")
    return 0


def another_time(seconds):
    """The environment of a program whose clock is so far ahead of everybody's, or behind; None where that is not to be had."""
    found = sorted(Path("/").glob(FAKETIME))
    return found and {"LD_PRELOAD": str(found[0]), "FAKETIME": f"{seconds:+}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"} or None


class Asked:
    """Somebody who can be asked what the doctor says, by `findings()`."""

    def causes(self, other=None):
        """What the doctor says about another node, and about the machine itself."""
        return {f["cause"] for f in self.findings() if f["about"] in (None, other and other.did)}


class Platform(Asked):
    """The platform on its host, and the person who works with it there."""

    def __init__(self, host, programs, folder, founded_s_ago=0):
        self.host, self.programs, self.home, self.me = host, programs, folder / "platform", folder / "operator"
        if founded_s_ago:
            self.start("founding", another_time(-founded_s_ago))
            until("the platform is founded", lambda: self._link("founding"))
            self.stop()
        self.start()
        link = until("the platform prints a sign-in link", self._link)[0]
        (folder / "link").write_text(link)
        self.cli("login", "--insecure-http", "--link-file", folder / "link", plain=True)
        plans = self.cli("plan", "list")
        plan = next(p["id"] for p in plans if "diagnostics.probe" in json.dumps(p) or p["id"] == "business")
        self.customer = self.cli("customer", "add", "--name", "Harbour Office", "--plan", plan)["id"]

    def start(self, log="platform", clock=None):
        command = [self.programs / "echo_os_prime", "--home", self.home, "--listen", f"{self.host.ipv4}:8460", "--mesh"]
        self.process = self.host.start(log, command, env={**os.environ, **(clock or {})})

    def stop(self):
        self.process.terminate()
        self.process.wait(30)

    @property
    def url(self):
        return f"http://{self.host.ipv4}:8460"

    def _link(self, log="platform"):
        lines = self.host.log(log).read_text().splitlines()
        return next((line.split(" ", 2)[2] for line in lines if line.startswith("sign in: ")), None)

    def cli(self, *words, plain=False):
        """The person's tool; what it prints as JSON."""
        said = self.host.run(self.programs / "echo_cli", "--json", *words, env={**os.environ, "ECHO_CLI_HOME": str(self.me)})
        return said if plain else json.loads(said)

    def findings(self):
        return self.cli("mesh", "doctor")

    def receipts(self):
        """The receipts for diagnoses."""
        return [r for r in self.cli("receipt", "list") if "diagnostics.probe" in json.dumps(r)]

    def pulses(self, device):
        """When each of a device's pulses was taken, in seconds."""
        points = self.cli("mesh", "pulses", "--node", device.did)
        return [datetime.fromisoformat(point["at"]).timestamp() for point in points]

    def offline(self, *words, clock=None):
        """Does something to the home while the platform is stopped, and starts it again."""
        self.stop()
        self.host.run(self.programs / "echo_cli", *words, "--home", self.home, env={**os.environ, **(clock or {})})
        self.start()


class Device(Asked):
    """A device on its host."""

    def __init__(self, host, platform, folder):
        self.host, self.platform, self.home = host, platform, folder / host.name
        token = folder / f"{host.name}.token"
        platform.cli("device", "token", "--customer", platform.customer, "--out", token)
        probe = platform.programs / "echo_probe"
        host.run(probe, "enroll", "--url", platform.url, "--insecure-http", "--token-file", token,
                 "--name", host.name, "--home", self.home)
        self.id = json.loads((self.home / "device.json").read_text())["device"]
        self.did = platform.cli("device", "show", self.id)["did"]

    def start(self, *more, mesh=True, pulse_s=PULSE_S):
        command = [self.platform.programs / "echo_probe", "run", "--home", self.home]
        command += ["--mesh"] if mesh else []
        command += ["--pulse-seconds", str(pulse_s)] if pulse_s else []
        self.process = self.host.start("probe", [*command, *more])

    def stop(self):
        self.process.terminate()
        self.process.wait(30)

    def mesh(self, *words, seconds=PATIENCE_S):
        said = self.host.run(self.platform.programs / "echo_probe", "mesh", *words, "--home", self.home, "--json",
                             timeout=seconds + 15)
        return json.loads(said)

    def sees(self, *others):
        """Whether each of the others is reachable, and how: direct, relayed or routed."""
        view = self.mesh("status")["view"]
        links = {link["node"]: link for link in view["links"]}
        ways = {}
        for member in view["members"]:
            if member["reachable"]:
                link = links.get(member["node"])
                ways[member["name"]] = "routed" if link is None else "relayed" if link["relayed"] else "direct"
        return {o: ways[o] for o in others} if all(o in ways for o in others) else None

    def findings(self):
        return self.mesh("doctor")

    def chosen(self, other):
        """The kinds of addresses, own and other's, of the path that is in use to another node."""
        peers = self.mesh("status")["observations"]["peers"]
        pairs = next((peer["pairs"] for peer in peers if peer["node"] == other.did), ())
        return next(((pair["local_kind"], pair["remote_kind"]) for pair in pairs if pair["chosen"]), None)

    def call(self, other, grant, key=None, seconds=20):
        return self.mesh("call", "diagnostics.probe", "--node", other.did, "--grant", grant,
                         "--key", key or str(uuid.uuid4()), "--seconds", str(seconds), seconds=seconds)
