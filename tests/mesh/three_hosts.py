"""Three hosts, one switch, no configuration: a platform and two devices find one another, call, pulse and settle, while
their network is cut, split, renumbered and filtered. After each fault the work goes on or resumes, nothing is lost or done
twice, and the doctor names the cause.

    three_hosts.py [--programs DIR] [--keep FOLDER]
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import field
from house import Device, Platform, Wrong, until

# A busy machine takes a pulse late; one that is lost leaves twice the pause.
LONGEST_GAP_S = 5


class Story:
    """The steps, in order, on one field."""

    def __init__(self, f, programs, folder):
        self.f, self.folder = f, folder
        self.hub, self.anna_host, self.bert_host = f.host("hub"), f.host("anna"), f.host("bert")
        self.platform = Platform(self.hub, programs, folder)
        self.anna = Device(self.anna_host, self.platform, folder)
        self.bert = Device(self.bert_host, self.platform, folder)
        case = self.platform.cli("case", "open", "--form", "general-help", "--customer", self.platform.customer,
                                 "--device", self.bert.id, "--answer", "what_happened=The printer is slow since this morning")
        self.case = case.get("id") or case["case"]["id"]
        self.grant = folder / "grant.json"
        self.platform.cli("mesh", "grant", self.case, "--holder", self.anna.did, "--calls", "50", "--out", self.grant)
        self.paid = 0

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

    def doctor(self, device, other, cause, what):
        def look():
            return cause in device.causes(other)
        try:
            _, took = until(f"{what}: the doctor says {cause}", look)
        except Wrong as wrong:
            raise Wrong(f"{wrong}: {device.mesh('doctor')}") from None
        self.say(f"{what}: the doctor at {device.host.name} says `{cause}`", took)

    def tell(self):
        self.anna.start()
        self.bert.start()
        self.together("no configuration", "direct")
        self.work("first")
        self.settled("first", 1)
        self.through_the_gateway()
        self.cable()
        self.split()
        self.renumbered()
        self.without_udp()
        self.behind_nat()
        self.rotated()
        self.telemetry()
        self.revoked()

    def rotated(self):
        """The issuer's key is replaced while calls go on: none fails, and everybody follows."""
        went, stop = [], threading.Event()

        def calls():
            while not stop.is_set():
                try:
                    self.anna.call(self.bert, self.grant)
                    went.append(None)
                except field.Failed as error:
                    went.append(error)
                time.sleep(0.5)

        caller = threading.Thread(target=calls)
        caller.start()
        try:
            self.platform.offline("trust", "rotate", "device_issuer", "--reason", "yearly")
            devices = self.anna, self.bert
            _, took = until("both devices know the newer registry",
                            lambda: all(d.mesh("status")["view"]["trust"]["registry"] >= 2 for d in devices))
            self.together("the issuer's key was replaced")
        finally:
            stop.set()
            caller.join()
        failed = [error for error in went if error]
        if failed or not went:
            raise Wrong(f"{len(failed)} of {len(went)} calls failed while the key was replaced: {failed[:1]}")
        self.say(f"the issuer's key was replaced under {len(went)} calls, none failed", took)
        self.settled("the issuer's key was replaced", len(went))

    def telemetry(self):
        """Every pulse that was taken is kept, once, whatever happened meanwhile."""
        now = time.time()
        for device in (self.anna, self.bert):
            def fresh(device=device):
                taken = self.platform.pulses(device)
                return taken if taken and taken[-1] >= now else None
            taken, _ = until(f"the platform has {device.host.name}'s newest pulses", fresh)
            gaps = [b - a for a, b in zip(taken, taken[1:])]
            if min(gaps) <= 0:
                raise Wrong(f"a pulse of {device.host.name} was kept twice, or out of order")
            if max(gaps) > LONGEST_GAP_S:
                raise Wrong(f"pulses of {device.host.name} are missing: a gap of {max(gaps):.1f} s")
            self.say(f"{len(taken)} pulses of {device.host.name}, none missing: the longest gap is {max(gaps):.1f} s")

    def revoked(self):
        """A device that is retired is out, everywhere, with the reason on both sides."""
        self.platform.cli("device", "retire", self.bert.id, "--yes")
        _, took = until("anna refuses bert", lambda: not self.anna.sees("bert"))
        self.say("bert was retired: anna does not reach it any more", took)

        def both():
            codes = [{r["code"] for r in d.mesh("status")["view"]["refusals"]} for d in (self.anna, self.bert)]
            return all("revoked" in code for code in codes)

        _, took = until("both sides say that bert is revoked", both)
        self.say("both sides say `revoked`", took)
        try:
            self.anna.call(self.bert, self.grant, seconds=3)
        except field.Failed:
            self.say("a call to bert is refused")
            return
        raise Wrong("a call to a revoked node was answered")

    def through_the_gateway(self):
        """A device that hears no multicast and was told of nobody: the platform's gateway is all that it knows."""
        host = self.f.host("cleo")
        self.f.drop_udp(host)
        cleo = Device(host, self.platform, self.folder)
        cleo.start("--mesh-no-multicast")

        def relayed():
            seen = cleo.sees("Echo", "anna")
            return seen if seen and set(seen.values()) == {"relayed"} else None

        try:
            _, took = until("cleo reaches the platform and anna through the gateway alone", relayed)
        except Wrong as wrong:
            raise Wrong(f"{wrong}: {cleo.mesh('status')['view']}") from None
        self.say("cleo knows the gateway alone: the platform and anna are reached through it", took)
        cleo.process.terminate()
        cleo.process.wait(30)

    def cable(self):
        self.f.cut(self.bert_host)
        self.doctor(self.anna, self.bert, "silent", "bert's cable is cut")
        self.doctor(self.bert, self.anna, "no_network", "bert's cable is cut")
        key = str(uuid.uuid4())
        command = [self.platform.programs / "echo_probe", "mesh", "call", "diagnostics.probe", "--node", self.bert.did,
                   "--grant", self.grant, "--key", key, "--seconds", "120", "--home", self.anna.home, "--json"]
        waiting = self.anna_host.start("call", command)
        time.sleep(3)
        self.f.mend(self.bert_host)
        self.together("the cable is mended")
        if waiting.wait(90) != 0:
            raise Wrong(f"the call that waited failed: {self.anna_host.log('call').read_text()}")
        self.say("the call that was made while the cable was cut is answered")
        self.work("with the same key again", key)
        self.settled("the same key twice", 1)

    def split(self):
        self.f.partition([self.hub])
        until("the devices know that the platform is away", lambda: not self.anna.sees("Echo"))
        self.work("the platform is away")
        self.work("the platform is away, again")
        self.f.merge()
        self.together("the switch is one again")
        self.settled("after the platform came back", 2)

    def renumbered(self):
        self.f.renumber(self.bert_host)
        self.together("bert has other addresses", "direct")
        self.work("bert has other addresses")
        self.settled("renumbered", 1)

    def without_udp(self):
        self.f.drop_udp(self.bert_host, keep=[5353])
        def relayed():
            seen = self.anna.sees("bert")
            return seen and seen["bert"] != "direct"
        _, took = until("anna reaches bert without UDP", relayed)
        self.say("no UDP at bert: reached through the relay", took)
        self.work("no UDP at bert")
        self.doctor(self.anna, self.bert, "udp_blocked", "no UDP at bert")
        self.f.allow_udp(self.bert_host)
        self.together("UDP is allowed again", "direct")
        self.settled("without UDP", 1)

    def behind_nat(self):
        self.f.nat(self.bert_host, symmetric=True)
        self.work("bert is behind a NAT that lets nobody in")
        self.together("bert is behind a NAT")
        self.settled("behind a NAT", 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", default=os.environ.get("CARGO_TARGET_DIR", "target") + "/debug")
    parser.add_argument("--keep", help="write homes and logs here, and leave them")
    options = parser.parse_args()
    try:
        field.enter()
    except field.Skip as reason:
        print(f"NOT RUN: {reason}")
        return 0
    programs = Path(options.programs).resolve()
    folder = Path(options.keep or tempfile.mkdtemp(prefix="three-hosts-")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with field.Field(folder / "logs") as f:
            Story(f, programs, folder).tell()
    except (Wrong, field.Failed, subprocess.SubprocessError) as error:
        print(f"FAILED: {error}", file=sys.stderr)
        for log in sorted((folder / "logs").glob("*.log")):
            tail = log.read_text(errors="replace").splitlines()[-15:]
            print(f"--- {log.name}", *tail, sep="\n", file=sys.stderr)
        return 1
    if not options.keep:
        shutil.rmtree(folder)
    print("1 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
