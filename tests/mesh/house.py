"""A platform and its devices on hosts of a field, as a person would run and ask them."""

import json
import os
import time
import uuid
from datetime import datetime

import field

PATIENCE_S = 60
PULSE_S = 1


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


class Platform:
    """The platform on its host, and the person who works with it there."""

    def __init__(self, host, programs, folder):
        self.host, self.programs, self.home, self.me = host, programs, folder / "platform", folder / "operator"
        self.start()
        link = until("the platform prints a sign-in link", self._link)[0]
        (folder / "link").write_text(link)
        self.cli("login", "--insecure-http", "--link-file", folder / "link", plain=True)
        plans = self.cli("plan", "list")
        plan = next(p["id"] for p in plans if "diagnostics.probe" in json.dumps(p) or p["id"] == "business")
        self.customer = self.cli("customer", "add", "--name", "Harbour Office", "--plan", plan)["id"]

    def start(self):
        command = [self.programs / "echo_os_prime", "--home", self.home, "--listen", f"{self.host.ipv4}:8460", "--mesh"]
        self.process = self.host.start("platform", command)

    @property
    def url(self):
        return f"http://{self.host.ipv4}:8460"

    def _link(self):
        lines = self.host.log("platform").read_text().splitlines()
        return next((line.split(" ", 2)[2] for line in lines if line.startswith("sign in: ")), None)

    def cli(self, *words, plain=False):
        """The person's tool; what it prints as JSON."""
        said = self.host.run(self.programs / "echo_cli", "--json", *words, env={**os.environ, "ECHO_CLI_HOME": str(self.me)})
        return said if plain else json.loads(said)

    def nodes(self):
        return {node["name"]: node for node in self.cli("mesh", "nodes")}

    def receipts(self):
        """The receipts for diagnoses."""
        return [r for r in self.cli("receipt", "list") if "diagnostics.probe" in json.dumps(r)]

    def pulses(self, device):
        """When each of a device's pulses was taken, in seconds."""
        points = self.cli("mesh", "pulses", "--node", device.did)
        return [datetime.fromisoformat(point["at"]).timestamp() for point in points]

    def offline(self, *words):
        """Does something to the home while the platform is stopped, and starts it again."""
        self.process.terminate()
        self.process.wait(30)
        self.host.run(self.programs / "echo_cli", *words, "--home", self.home)
        self.start()

class Device:
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

    def start(self, *more):
        command = [self.platform.programs / "echo_probe", "run", "--home", self.home, "--mesh",
                   "--pulse-seconds", str(PULSE_S), *more]
        self.process = self.host.start("probe", command)

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

    def causes(self, other):
        """What the doctor says about another node, and about this machine."""
        return {f["cause"] for f in self.mesh("doctor") if f["about"] in (None, other.did)}

    def call(self, other, grant, key=None, seconds=20):
        return self.mesh("call", "diagnostics.probe", "--node", other.did, "--grant", grant,
                         "--key", key or str(uuid.uuid4()), "--seconds", str(seconds), seconds=seconds)
