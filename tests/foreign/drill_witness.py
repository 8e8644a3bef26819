"""Lets Echo and programs that Echo did not write witness one another, over HTTP (C2SP tlog-witness).

    drill_witness.py --url URL --home HOME --cli 'PATH --home PERSON' --platform PATH --scratch FOLDER

1. aics-tlog reads both ledgers: head, inclusion, consistency.
2. aics-witness, a process of its own, cosigns Echo's ledgers at Echo's asking; aics-tlog verifies what Echo serves.
3. A platform that was set back by an old backup hears so from the witness.
4. Echo cosigns a log that aics-tlog made, fed by the client of aics-witness; and refuses, with the statuses of the
   protocol, an unknown log, wrong signatures, wrong sizes, wrong proofs and another history.

The person in PERSON is signed in as the operator. Prints what held; exits with 1 and a reason at the first thing that
does not.
"""

import argparse
import base64
import json
import os
import pathlib
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from aics_tlog import (
    Checkpoint,
    MerkleTree,
    format_vkey,
    parse_note,
    parse_vkey,
    sign_checkpoint,
    verify_checkpoint,
    vkey_from_ed25519,
)
from aics_witness import WitnessClient, merge_cosignatures
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PATIENCE = 30
TOOLS = pathlib.Path(sys.executable).parent
LOGS = ("genesis", "aeterna")


def fail(words):
    print(f"drill_witness: {words}", file=sys.stderr)
    sys.exit(1)


def held(words):
    print(f"ok: {words}", flush=True)


def run(*words):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode != 0:
        fail(f"{' '.join(str(w) for w in words)}: {done.stdout}{done.stderr}")
    return done.stdout


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def http(url, body=None):
    """The status, the content type and the body of an answer."""
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "text/plain"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=PATIENCE) as answer:
            return answer.status, answer.headers.get("Content-Type", ""), answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers.get("Content-Type", ""), answer.read()


def until(what, ready):
    for _ in range(PATIENCE * 10):
        found = ready()
        if found:
            return found
        time.sleep(0.1)
    fail(f"waited {PATIENCE} s for {what}")


class Echo:
    def __init__(self, arguments):
        self.url = arguments.url
        self.home = pathlib.Path(arguments.home)
        self.cli = shlex.split(arguments.cli)
        self.platform = arguments.platform

    def tell(self, *words):
        return json.loads(run(*self.cli, "--json", *words))

    def ledger(self, log):
        return f"{self.url}v1/ledgers/{log}/"

    def vkey(self, log):
        return (self.home / f"{log}_ledger/log.vkey").read_text().strip()

    def size(self, log):
        return int(http(self.ledger(log) + "checkpoint")[2].split(b"\n")[1])

    def grow(self, name):
        """Both ledgers get a new entry: an intake, and the receipt of its triage."""
        customer = self.tell("customer", "add", "--name", name, "--plan", "pay-as-you-go")["id"]
        form = ["--form", "general-help", "--answer", "what_happened=It is slow"]
        self.tell("case", "open", "--customer", customer, *form)

    def cosigned_sizes(self):
        # Asked again each time: one slow answer would otherwise mean a pause of a minute.
        self.tell("witness", "ask")
        witnesses = self.tell("witness", "status")["witnesses"]
        return {one["log"]: one["size"] for one in witnesses[0]["ledgers"]}


def read_ledgers(echo, scratch):
    for log in LOGS:
        key = scratch / f"{log}.vkey"
        key.write_text(echo.vkey(log) + "\n")
        by_http = ["--vkey-file", key, "--tiles", echo.ledger(log)]
        run(TOOLS / "aics-tlog", "verify-checkpoint", *by_http, "--save-checkpoint", scratch / f"{log}.old")
        for index in (0, echo.size(log) - 1):
            run(TOOLS / "aics-tlog", "verify-inclusion", *by_http, "--index", index)
    echo.grow("Marta's bakery")
    for log in LOGS:
        by_http = ["--vkey-file", scratch / f"{log}.vkey", "--tiles", echo.ledger(log)]
        kept = scratch / f"{log}.old"
        run(TOOLS / "aics-tlog", "verify-consistency", *by_http, "--old-checkpoint", kept)
        held(f"aics-tlog: {log}: head, inclusion, and consistency from a kept head")


def start_witness(echo, scratch):
    config, port = scratch / "peer/witness.json", free_port()
    config.parent.mkdir()
    tool = [TOOLS / "aics-witness"]
    listen = f"127.0.0.1:{port}"
    run(*tool, "init", "--config", config, "--name", "peer.example/w1", "--listen", listen)
    for log in LOGS:
        vkey = echo.vkey(log)
        run(*tool, "add-log", "--config", config, "--origin", vkey.split("+")[0], "--vkey", vkey)
    vkey = json.loads(run(*tool, "status", "--config", config, "--json"))
    vkey = vkey.get("vkey") or vkey["witness"]["vkey"]
    log = open(scratch / "peer/log", "w")
    process = subprocess.Popen([str(tool[0]), "serve", "--config", str(config)], stdout=log, stderr=log)
    url = f"http://{listen}"

    def answers():
        try:
            return http(f"{url}/healthz")[0] == 200
        except OSError:
            return process.poll() is not None and fail((scratch / "peer/log").read_text())

    until("aics-witness", answers)
    return process, url, vkey


def set_back(echo, scratch, backup, url, vkey):
    """Brings an old copy of the home back to work: the witness remembers more than the copy holds."""
    command = [echo.platform, "--home", str(backup), "--listen", "127.0.0.1:0"]
    errors = open(scratch / "backup.log", "w")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        base = process.stdout.readline().removeprefix("ready ").strip()
        link = scratch / "link"
        link.write_text(process.stdout.readline().removeprefix("sign in: "))
        cli = [echo.cli[0], "--home", scratch / "backup-person"]
        run(*cli, "login", "--link-file", link)
        run(*cli, "witness", "add", "peer", vkey, url)

        def alarms():
            found = json.loads(run(*cli, "--json", "witness", "status"))["witnesses"][0]["ledgers"]
            return [one["contradiction"] for one in found if one["contradiction"]]

        for words in until("an alarm", lambda: len(alarms()) == len(LOGS) and alarms()):
            if "set back" not in words:
                fail(f"the alarm says {words}")
        ready = json.loads(http(f"{base}readyz")[2])
        if ready["alarms"] != len(LOGS) or not ready["ready"]:
            fail(f"the alarm is not in the health: {ready}")
    finally:
        process.terminate()
        process.wait(PATIENCE)
    held("a platform from an old backup: aics-witness remembers more, and Echo raises the alarm")


def witnessed_by_peer(echo, scratch):
    backup = scratch / "backup"
    shutil.copytree(echo.home, backup)
    process, url, vkey = start_witness(echo, scratch)
    try:
        echo.tell("witness", "add", "peer", vkey, url)
        echo.tell("witness", "quorum", "peer")
        for round in ("first", "second"):
            sizes = {log: echo.size(log) for log in LOGS}
            until(f"the {round} cosignatures", lambda: echo.cosigned_sizes() == sizes)
            for log in LOGS:
                status, _, note = http(echo.ledger(log) + "checkpoint.cosigned")
                keys = [parse_vkey(vkey)]
                result = verify_checkpoint(parse_note(note.decode()), parse_vkey(echo.vkey(log)), keys, 1)
                if status != 200 or not result.ok or int(note.split(b"\n")[1]) != sizes[log]:
                    fail(f"{log}: the cosigned head does not verify: {result}")
                (scratch / f"{log}.cosigned").write_bytes(note)
                (scratch / f"{log}.policy").write_bytes(http(echo.ledger(log) + "policy")[2])
                files = ["--checkpoint", scratch / f"{log}.cosigned", "--policy", scratch / f"{log}.policy"]
                run(*echo.cli, "witness", "verify", *files)
            held(f"aics-witness cosigned both ledgers, {round} time; aics-tlog verifies: {sizes}")
            if round == "first":
                echo.grow("Ada's garage")
                echo.tell("witness", "ask")
        made = echo.tell("treasury", "commit")
        if sorted(one["log"] for one in made) != sorted(LOGS) or echo.tell("treasury", "commit"):
            fail(f"the ledgers were not committed to one another exactly once: {made}")
        run(*echo.cli, "treasury", "export", scratch / "treasury.txt")
        keys = [word for log in LOGS for word in ("--policy", scratch / f"{log}.policy")]
        run(*echo.cli, "treasury", "verify", scratch / "treasury.txt", "--ledgers", echo.home, *keys)
        held("both heads were committed to with the peer's cosignatures, exported and verified")
        set_back(echo, scratch, backup, url, vkey)
    finally:
        process.terminate()
        process.wait(PATIENCE)


class PeerLog:
    """A log made by aics-tlog; `history` makes another of the same name and key."""

    origin = "peer.example/log"
    key = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\x07")

    def __init__(self, history=b"a"):
        self.tree = MerkleTree([history + bytes([n]) for n in range(40)])

    def note(self, size, root=None, key=None):
        head = Checkpoint(self.origin, size, root or self.tree.root(size))
        return sign_checkpoint(head, key or self.key, self.origin).to_bytes()

    def request(self, old, size, proof=None, **other):
        hashes = self.tree.consistency_proof(old, size) if proof is None and old else proof or []
        lines = [b"old %d\n" % old] + [base64.b64encode(h) + b"\n" for h in hashes]
        return b"".join(lines) + b"\n" + self.note(size, **other)

    def vkey(self):
        return format_vkey(vkey_from_ed25519(self.origin, self.key.public_key()))


def witness_for_peer(echo):
    log, fork = PeerLog(), PeerLog(b"b")
    prefix = f"{echo.url}v1/witness"

    def expect(status, what, body):
        found, kind, answer = http(f"{prefix}/add-checkpoint", body)
        if found != status:
            fail(f"{what}: {found} in place of {status}: {answer[:200]}")
        held(f"{what}: {status}")
        return kind, answer

    expect(404, "a log that Echo does not know", log.request(0, 5))
    echo.tell("witness", "log", "add", log.vkey())
    vkey = http(f"{prefix}/vkey")[2].decode().strip()
    with WitnessClient(prefix, vkey) as client:
        for size in (5, 17, 17, 33):
            line = client.submit(log.note(size), log.tree.consistency_proof)
            note = merge_cosignatures(log.note(size), line)
            keys = [parse_vkey(vkey)]
            result = verify_checkpoint(parse_note(note.decode()), parse_vkey(log.vkey()), keys, 1)
            if not result.ok:
                fail(f"Echo's cosignature of {size} entries does not verify: {result}")
    held("aics-witness's client got Echo's cosignatures for 5, 17, 17 and 33 entries; aics-tlog verifies them")
    kind, answer = expect(409, "an old size that is not the kept one", log.request(5, 33))
    if kind != "text/x.tlog.size" or answer != b"33\n":
        fail(f"the size in the 409 is {answer} as {kind}")
    expect(409, "a log that was set back", log.request(0, 5))
    expect(400, "an old size beyond the new one", log.request(39, 38, proof=[]))
    expect(400, "no request at all", b"hello\n")
    expect(422, "a forged root at the kept size", fork.request(33, 33))
    expect(422, "another history, proven in itself", fork.request(33, 40))
    forged = [bytes(32)] + log.tree.consistency_proof(33, 40)[1:]
    expect(422, "a forged proof", log.request(33, 40, proof=forged))
    expect(422, "no proof", log.request(33, 40, proof=[]))
    other = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\x08")
    expect(403, "the signature of a stranger", log.request(33, 40, key=other))
    broken = log.request(33, 40).replace(b"\n40\n", b"\n39\n", 1)
    expect(403, "a size changed after signing", broken)
    expect(413, "a body that is too large", log.request(33, 40) + b"x" * (2 << 20))
    expect(200, "the true next head, after all of that", log.request(33, 40))


def main():
    parser = argparse.ArgumentParser()
    for name in ("url", "home", "cli", "platform", "scratch"):
        parser.add_argument(f"--{name}", required=True)
    arguments = parser.parse_args()
    echo, scratch = Echo(arguments), pathlib.Path(arguments.scratch)
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    read_ledgers(echo, scratch)
    witnessed_by_peer(echo, scratch)
    witness_for_peer(echo)


if __name__ == "__main__":
    main()
