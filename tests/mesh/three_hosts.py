"""Three hosts, one switch, no configuration: a platform and two devices find one another, call, pulse and settle, while
their network is cut, split, renumbered and filtered, one moves behind a NAT, and keys are replaced. After each fault the work
goes on or resumes, nothing is lost or done twice, and the doctor names the cause.

    three_hosts.py [--programs DIR] [--keep FOLDER] [--only STEP]...
"""

import json
import random
import sys
import threading
import time
import uuid
from datetime import datetime

import field
import house
import servers
from house import Device, Platform, Wrong, until

# A busy machine takes a pulse late; one that is lost leaves twice the pause.
LONGEST_GAP_S = 5
# For how long the issuer's old key counts beside the new one; then the platform was founded a day before that.
GRACE_S = 60
# The pause between two calls while keys are replaced.
BREATH_S = 1
# A device that was refused for its certificate asks for another once a minute, when it is not waiting for commands.
LATE_S = 180
# A file, and a cable that is narrow enough to be cut while it goes.
FILE_BYTES = 20_000_000
FILE_MBIT = 40


class Story:
    """The steps, in order, on one field."""

    STEPS = (
        "cable", "split", "stopped", "renumbered", "without_udp", "file", "behind_nat", "rotated", "telemetry", "cosigned", "retired",
    )  # fmt: skip

    def __init__(self, f, programs, folder):
        self.f, self.folder = f, folder
        self.hub, self.anna_host, self.bert_host = f.host("hub"), f.host("anna"), f.host("bert")
        self.can_wait = bool(house.another_time(0))
        self.platform = Platform(self.hub, programs, folder, house.DAY_S if self.can_wait else 0)
        self.anna = Device(self.anna_host, self.platform, folder)
        self.bert = Device(self.bert_host, self.platform, folder)
        case = self.platform.cli("case", "open", "--form", "general-help", "--customer", self.platform.customer,
                                 "--device", self.bert.id, "--answer", "what_happened=The printer is slow since this morning")
        self.case = case.get("id") or case["case"]["id"]
        self.grant = folder / "grant.json"
        self.platform.cli("mesh", "grant", self.case, "--holder", self.anna.did, "--calls", "200", "--out", self.grant)
        self.paid = 0
        # When a program was not there: who, from, until.
        self.off = []

    # What every step is told with.

    def say(self, what, seconds=None):
        took = "" if seconds is None else f" ({seconds:.1f} s)"
        print(f"ok  {what}{took}", flush=True)

    def work(self, what, key=None, seconds=30):
        """Anna has Bert diagnosed, once, and it is paid once."""
        began = time.monotonic()
        answer = self.anna.call(self.bert, self.grant, key, seconds)
        if answer["output"]["facts"]["hostname"] != "bert":
            raise Wrong(f"the answer is not bert's: {answer['output']['facts']}")
        self.say(f"{what}: a skill is called and answered", time.monotonic() - began)
        return answer

    def settled(self, what, more):
        self.paid += more
        _, took = until(f"{self.paid} receipts", lambda: len(self.platform.receipts()) == self.paid)
        time.sleep(1)
        count = len(self.platform.receipts())
        if count != self.paid:
            raise Wrong(f"{count} receipts for {self.paid} calls")
        self.say(f"{what}: {self.paid} calls, {self.paid} receipts", took)

    def together(self, what, way=None):
        def look():
            seen = self.anna.sees("bert", "Echo"), self.bert.sees("anna", "Echo")
            return seen if all(seen) and (way is None or all(w == way for s in seen for w in s.values())) else None
        seen, took = until(f"{what}: everybody sees everybody", look)
        self.say(f"{what}: everybody sees everybody, {seen}", took)

    def doctor(self, what, asked, cause, other=None, because=""):
        """The doctor gives a cause, about another node or about the machine itself, and evidence that says `because`."""
        about = other and other.did

        def look():
            found = [f for f in asked.findings() if f["cause"] == cause and f["about"] in (None, about)]
            return next((f for f in found if because in f["because"]), None)
        try:
            finding, took = until(f"{what}: the doctor at {asked.host.name} says {cause}", look)
        except Wrong as wrong:
            raise Wrong(f"{wrong}: {asked.findings()}") from None
        self.say(f"{what}: the doctor at {asked.host.name} says `{cause}`: {finding['what']}, {finding['because']}", took)

    def path(self, what, kind):
        """The path between the two devices that is in use: what kind of address anna has bert at."""
        def look():
            chosen = self.anna.chosen(self.bert)
            return chosen if chosen and chosen[1] == kind else None
        try:
            chosen, took = until(f"{what}: anna has bert at a {kind} address", look)
        except Wrong as wrong:
            raise Wrong(f"{wrong}: {self.anna.mesh('status')['observations']['peers']}") from None
        self.say(f"{what}: the path goes from {chosen[0]} to {chosen[1]}", took)

    def tell(self, only=()):
        self.anna.start()
        self.bert.start()
        self.together("no configuration", "direct")
        members = self.anna.mesh("status")["view"]["members"]
        self.platform.did = next(member["node"] for member in members if member["name"] == "Echo")
        self.doctor("no configuration", self.anna, "direct", self.bert)
        self.doctor("no configuration", self.platform, "direct", self.anna)
        self.work("first")
        self.settled("first", 1)
        self.through_the_gateway()
        for step in self.STEPS:
            if not only or step in only:
                getattr(self, step)()

    # The steps.

    def through_the_gateway(self):
        """A device that hears no multicast and was told of nobody: the platform's gateway is all that it knows."""
        host = self.f.host("cleo")
        self.f.drop_udp(host)
        self.cleo = cleo = Device(host, self.platform, self.folder)
        cleo.start("--mesh-no-multicast")

        def relayed():
            seen = cleo.sees("Echo", "anna")
            return seen if seen and set(seen.values()) == {"relayed"} else None

        try:
            _, took = until("cleo reaches the platform and anna through the gateway alone", relayed)
        except Wrong as wrong:
            raise Wrong(f"{wrong}: {cleo.mesh('status')['view']}") from None
        self.say("cleo knows the gateway alone: the platform and anna are reached through it", took)
        self.doctor("cleo knows the gateway alone", cleo, "udp_blocked", self.anna)
        self.doctor("cleo knows the gateway alone", self.platform, "udp_blocked", cleo)
        cleo.stop()
        self.doctor("cleo was stopped", self.anna, "gone", cleo)
        self.f.allow_udp(host)

    def cable(self):
        self.f.cut(self.bert_host)
        self.doctor("bert's cable is cut", self.anna, "silent", self.bert, "others are reached")
        self.doctor("bert's cable is cut", self.platform, "silent", self.bert, "others are reached")
        self.doctor("bert's cable is cut", self.bert, "no_network")
        key = str(uuid.uuid4())
        command = [self.platform.programs / "echo_probe", "mesh", "call", "diagnostics.probe", "--node", self.bert.did,
                   "--grant", self.grant, "--key", key, "--seconds", "120", "--home", self.anna.home, "--json"]
        waiting = self.anna_host.start("call", command)
        until("the call waits", lambda: self.anna.mesh("status")["view"]["calling"] == 1)
        self.f.mend(self.bert_host)
        self.together("the cable is mended")
        if waiting.wait(90) != 0:
            raise Wrong(f"the call that waited failed: {self.anna_host.log('call').read_text()}")
        self.say("the call that was made while the cable was cut is answered")
        self.work("with the same key again", key)
        self.settled("the same key twice", 1)
        self.doctor("the cable is mended", self.anna, "direct", self.bert)

    def split(self):
        """The switch falls apart: the platform on one side, the devices on the other."""
        self.f.partition([self.hub])
        until("the devices know that the platform is away", lambda: not self.anna.sees("Echo"))
        self.work("the platform is away")
        self.work("the platform is away, again")
        self.doctor("the platform is away", self.anna, "silent", self.platform, "others are reached")
        self.doctor("the platform is away", self.anna, "gateway_away")
        self.doctor("the platform is away", self.platform, "silent", self.anna, "nobody on this network is reached")
        self.f.merge()
        self.together("the switch is one again")
        self.settled("after the platform came back", 2)
        self.doctor("the switch is one again", self.platform, "direct", self.anna)

    def stopped(self):
        """A program that was stopped, and one that was killed, are told from a machine that is away."""
        self.bert.stop()
        self.doctor("bert was stopped", self.anna, "gone", self.bert)
        self.bert.start()
        self.together("bert was started again", "direct")
        self.bert.process.kill()
        self.bert.process.wait()
        killed = time.time()
        self.doctor("bert was killed", self.anna, "not_running", self.bert)
        self.bert.start()
        self.off.append((self.bert, killed, time.time()))
        self.together("bert was started after that")

    def renumbered(self):
        self.f.renumber(self.bert_host)
        self.together("bert has other addresses", "direct")
        self.work("bert has other addresses")
        self.settled("renumbered", 1)
        self.doctor("bert has other addresses", self.anna, "moved", self.bert)

    def without_udp(self):
        self.f.drop_udp(self.bert_host, keep=[5353])

        def relayed():
            seen = self.anna.sees("bert")
            return seen and seen["bert"] != "direct"

        _, took = until("anna reaches bert without UDP", relayed)
        self.say("no UDP at bert: reached through the relay", took)
        self.work("no UDP at bert")
        self.doctor("no UDP at bert", self.anna, "udp_blocked", self.bert)
        self.doctor("no UDP at bert", self.platform, "udp_blocked", self.bert)
        self.f.allow_udp(self.bert_host)
        self.together("UDP is allowed again", "direct")
        self.settled("without UDP", 1)

    def file(self):
        """A file goes on where it was when the cable was cut, and arrives once and whole."""
        self.bert.stop()
        self.bert.start("--mesh-inbox", "64MiB")
        self.together("bert takes files", "direct")
        sent = self.folder / "logs.tar"
        sent.write_bytes(random.Random(7).randbytes(FILE_BYTES))
        self.f.narrow(self.bert_host, FILE_MBIT)
        command = [self.platform.programs / "echo_probe", "mesh", "send", sent, "--node", self.bert.did, "--home",
                   self.anna.home, "--json"]
        sending = self.anna_host.start("send", command)
        until("some of the file is there", lambda: any(t["done"] for t in self.anna.mesh("transfers")))
        self.f.cut(self.bert_host)
        self.doctor("the cable is cut under a file", self.anna, "silent", self.bert)
        done = [t["done"] for t in self.anna.mesh("transfers")]
        if sending.poll() is not None or not 0 < done[0] < FILE_BYTES:
            raise Wrong(f"the cut came too late: {done} of {FILE_BYTES} bytes were there")
        self.f.mend(self.bert_host)
        if sending.wait(90) != 0:
            raise Wrong(f"the file did not go: {self.anna_host.log('send').read_text()}")
        self.f.narrow(self.bert_host, None)
        # What begins with a dot is the node's own: parts, and what it remembers of each file.
        came = list((self.bert.home / "mesh/inbox").glob("[!.]*/*"))
        if [path.read_bytes() for path in came] != [sent.read_bytes()]:
            raise Wrong(f"bert has {came}, and that is not the file, once")
        self.say(f"a file of {FILE_BYTES} bytes, {done[0]} of which were there when the cable was cut, is there once and whole")
        self.together("the file is there")

    def behind_nat(self):
        """Bert moves behind a NAT that lets nobody in: straight from the inside, by coturn, and by the gateway."""
        router = self.f.nat(self.bert_host, symmetric=True)
        self.work("bert is behind a NAT that lets nobody in")
        self.together("bert is behind a NAT", "direct")
        self.path("bert is behind a NAT", "peer_reflexive")
        self.doctor("bert is behind a NAT", self.anna, "direct", self.bert)
        self.settled("behind a NAT", 1)
        turn = self.f.host("turn")
        address, user, password = servers.coturn(turn)
        turn_file = self.folder / "turn.json"
        turn_file.write_text(json.dumps([{"host": address, "username": user, "password": password}]))
        # A router that lets UDP out to one server alone.
        self.f.drop_udp(self.bert_host, keep=[servers.TURN_PORT])
        self.bert.stop()
        self.bert.start("--mesh-stun", address, "--mesh-turn-file", str(turn_file))
        self.together("bert's router lets UDP out to coturn alone")
        # While the gateway is there: without it bert cannot be offered anything.
        until("the two devices are linked through a relay",
              lambda: self.anna.sees("bert") == {"bert": "relayed"} and self.bert.sees("anna") == {"anna": "relayed"})
        self.f.partition([self.hub])
        self.path("and the platform is away", "turn")
        self.work("and the platform is away")
        self.doctor("and the platform is away", self.anna, "nat", self.bert)
        self.doctor("and the platform is away", self.bert, "udp_blocked", self.anna)
        self.f.merge()
        self.together("the platform is back")
        self.settled("through coturn", 1)
        self.f.cut(turn)
        self.path("coturn is away", "gateway")
        self.work("coturn is away")
        self.doctor("coturn is away", self.anna, "nat", self.bert)
        self.settled("through the gateway", 1)
        self.f.allow_udp(self.bert_host)
        self.together(f"{router.name} lets UDP out again", "direct")
        self.doctor(f"{router.name} lets UDP out again", self.anna, "direct", self.bert)

    def rotated(self):
        """The issuer's key is replaced while calls go on: none fails, everybody follows, and the old key counts no more."""
        self.key_replaced()
        self.grace_over()

    def key_replaced(self):
        behind = house.another_time(GRACE_S - house.DAY_S)
        days = ("--grace", "1") if behind else ()
        devices = self.anna, self.bert
        old = [self.certificate(device) for device in devices]
        self.calls = Calls(self)
        self.platform.offline("trust", "rotate", "device_issuer", "--reason", "yearly", *days, clock=behind)
        self.known(2, "the issuer's key was replaced")
        self.together("the issuer's key was replaced")
        # A device asks for a new certificate when it starts, and every hour. Work that a stop cuts off is not done again by
        # itself, so that nothing is called meanwhile.
        with self.calls.paused:
            for device in devices:
                device.stop()
                device.start()
            until("anna is there again, and reaches bert", lambda: self.anna.sees("bert"))
        until("both devices have certificates by the new key",
              lambda: all(self.certificate(device) != before for device, before in zip(devices, old)))
        self.together("both devices were certified anew")

    def grace_over(self):
        what = "the old key's grace is over"
        if self.can_wait:
            said = self.hub.run(self.platform.programs / "echo_cli", "--json", "trust", "notices", "--home", self.platform.home)
            over = max(datetime.fromisoformat(n["notice"]["refuse_from"]).timestamp() for n in json.loads(said))
            until("the day on which the old key ends", lambda: time.time() > over, GRACE_S + house.PATIENCE_S)
            self.platform.offline("trust", "resume")
            self.known(3, what)
            self.together(what)
        else:
            print("NOT RUN: the end of the old key's grace: no libfaketime here (package faketime)", flush=True)
        count = self.calls.end()
        self.say(f"the issuer's key was replaced under {count} calls, none failed")
        self.settled("the issuer's key was replaced", count)
        if self.can_wait:
            self.late()

    def late(self):
        """Cleo was switched off all the time: the old key certified it. Once the platform is back it gets a new certificate."""
        self.f.partition([self.hub])
        self.cleo.start()
        self.doctor("cleo slept through it", self.anna, "refused", because="(unknown_issuer)")
        self.doctor("cleo slept through it", self.cleo, "refused", self.anna, "(unknown_issuer)")
        if self.anna.sees("cleo"):
            raise Wrong("cleo was let in with a certificate by a key that is out of use")
        self.f.merge()
        _, took = until("cleo is in with a new certificate", lambda: self.anna.sees("cleo"), LATE_S)
        self.say("the platform is back: cleo has a new certificate by itself, and is in", took)
        self.cleo.stop()

    def known(self, version, what):
        """Both devices know a version of the registry."""
        def look():
            return all(d.mesh("status")["view"]["trust"]["registry"] >= version for d in (self.anna, self.bert))
        _, took = until(f"both devices know version {version} of the registry", look)
        self.say(f"{what}: both devices know version {version} of the registry", took)

    @staticmethod
    def certificate(device):
        """The device's certificate, as it is on its disk."""
        return json.loads((device.home / "device.json").read_text())["manifest"]

    def telemetry(self):
        """Every pulse that was taken is kept, once, whatever happened meanwhile."""
        now = time.time()
        for device in (self.anna, self.bert):
            def fresh(device=device):
                taken = self.platform.pulses(device)
                return taken if taken and taken[-1] >= now else None
            taken, _ = until(f"the platform has {device.host.name}'s newest pulses", fresh)
            # A program that is not there sees nothing; what it saw before and after counts.
            dark = [(since, until) for who, since, until in self.off if who is device]
            gaps = [b - a - sum(max(0, min(b, until) - max(a, since)) for since, until in dark) for a, b in zip(taken, taken[1:])]
            if any(b <= a for a, b in zip(taken, taken[1:])):
                raise Wrong(f"a pulse of {device.host.name} was kept twice, or out of order")
            if max(gaps) > LONGEST_GAP_S:
                raise Wrong(f"pulses of {device.host.name} are missing: a gap of {max(gaps):.1f} s")
            self.say(f"{len(taken)} pulses of {device.host.name}, none missing: the longest gap is {max(gaps):.1f} s")

    def cosigned(self):
        """Both devices remember both ledgers: the platform has their cosignatures of the newest heads, and nobody knows of two."""
        def look():
            logs = {log: self.platform.home / f"{log}_ledger" / "checkpoint" for log in ("genesis", "aeterna")}
            heads = {log: int(checkpoint.read_text().splitlines()[1]) for log, checkpoint in logs.items()}
            nodes = self.platform.cli("witness", "status")["nodes"]
            have = {(n["name"], n["log"]) for n in nodes if n["size"] == heads[n["log"]]}
            return heads if {(d.host.name, log) for d in (self.anna, self.bert) for log in heads} <= have else None
        heads, took = until("both devices cosigned both ledgers", look)
        forks = [d.mesh("status")["view"]["witnessing"] for d in (self.anna, self.bert)]
        if any(f["forks"] or f["suspicions"] or f["damaged"] for f in forks) or self.platform.cli("witness", "status")["forks"]:
            raise Wrong(f"somebody doubts a ledger that is one: {forks}")
        self.say(f"both devices cosigned the newest heads of both ledgers, {heads}", took)

    def retired(self):
        """A device that is retired is out, everywhere, with the reason on both sides."""
        self.platform.cli("device", "retire", self.bert.id, "--yes")
        _, took = until("anna refuses bert", lambda: not self.anna.sees("bert"))
        self.say("bert was retired: anna does not reach it any more", took)

        def both():
            # Behind its NAT bert hears nobody but the gateway, which says so too.
            told = {r["code"] for r in self.bert.mesh("status")["view"]["refusals"]} | {
                "revoked" for f in self.bert.findings() if "revoked" in f["because"]}
            refused = {r["code"] for r in self.anna.mesh("status")["view"]["refusals"]}
            return "revoked" in told and "revoked" in refused

        _, took = until("both sides say that bert is revoked", both)
        self.say("both sides say `revoked`", took)
        self.doctor("bert was retired", self.anna, "refused", self.bert, "(revoked)")
        try:
            self.anna.call(self.bert, self.grant, seconds=3)
        except field.Failed:
            self.say("a call to bert is refused")
            return
        raise Wrong("a call to a revoked node was answered")


class Calls:
    """Anna calls Bert again and again, until it is ended."""

    def __init__(self, story):
        self.story, self.went, self.failed = story, 0, []
        self.stop, self.paused = threading.Event(), threading.Lock()
        self.thread = threading.Thread(target=self._call, daemon=True)
        self.thread.start()

    def _call(self):
        while not self.stop.is_set():
            with self.paused:
                try:
                    self.story.anna.call(self.story.bert, self.story.grant, seconds=30)
                    self.went += 1
                except field.Failed as error:
                    self.failed.append(error)
            self.stop.wait(BREATH_S)

    def end(self):
        """How many were answered, all of them."""
        self.stop.set()
        self.thread.join()
        if self.failed or not self.went:
            raise Wrong(f"{len(self.failed)} of {self.went + len(self.failed)} calls failed: {self.failed[:1]}")
        return self.went


def main():
    parser = house.options(__doc__)
    parser.add_argument("--only", action="append", choices=Story.STEPS, help="this step alone (may be given again)")
    chosen = parser.parse_args()
    return house.tell(chosen, lambda f, programs, folder: Story(f, programs, folder).tell(chosen.only or ()))


if __name__ == "__main__":
    sys.exit(main())
