"""Peers of other makes before one another, or before a node of Echo, in a field.

    interop.py                         every peer offers to an aiortc node, with papers made for this run
    interop.py --node COMMAND --papers FOLDER
                                       every peer offers to a node that COMMAND starts in the field, listening at
                                       `{address}` and `{port}`; FOLDER has chain.json and, for each peer, a NAME.key
                                       with its NAME.json
    interop.py --url http://HOST:PORT --key K --manifest M --chain C [--token T]
                                       every peer offers to a node that runs already; no field is made

scripts/need field node mesh-python mesh-packages chromium browser-packages; run it with that Python.
"""

import argparse
import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import field
import papers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PORT = 4714
BULK = 64
SECONDS = 40
READY_TIMEOUT_S = 15


def peers():
    """The command of each peer that is here."""
    newer = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "newer_node/node_modules/node/bin/node"
    node = str(newer) if newer.exists() else "node"
    found = {"aiortc": [sys.executable, "-B", HERE / "aiortc_peer.py"]}
    if (HERE / "node_modules/node-datachannel").exists():
        found["node-datachannel"] = [node, HERE / "peer.mjs"]
    if (ROOT / "tests/browser/node_modules/playwright-core").exists():
        found["Chromium"] = [node, HERE / "chromium_peer.mjs"]
    return found


class House:
    """An issuer and a registry for one run."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.issuer = Ed25519PrivateKey.generate()
        keys = [self.issuer.public_key().public_bytes_raw().hex()]
        registry = {"version": 1, "roles": {"device_issuer": {"keys": keys, "threshold": 1}}}
        payload = base64.b64encode(json.dumps(registry).encode()).decode()
        (self.folder / "chain.json").write_text(json.dumps({"versions": [{"payload": payload}]}))

    def papers(self, name, issuer=None, days=30):
        """Makes a node; the options that name its papers."""
        key = Ed25519PrivateKey.generate()
        public = key.public_key().public_bytes_raw()
        now = datetime.now(UTC)
        manifest = {
            "device": f"dev_{name}", "name": name, "public_key": public.hex(), "did": papers.did_key(public),
            "capabilities": ["scan"], "issued": (now - timedelta(days=60)).isoformat(),
            "expires": (now + timedelta(days=days)).isoformat(),
        }  # fmt: skip
        envelope = papers.sign(papers.MANIFEST_TYPE, manifest, issuer or self.issuer)
        (self.folder / f"{name}.key").write_text(key.private_bytes_raw().hex())
        (self.folder / f"{name}.json").write_text(json.dumps({"manifest": envelope}))
        return options(self.folder / f"{name}.key", self.folder / f"{name}.json", self.folder / "chain.json")


def options(key, manifest, chain):
    """The options that name a node's papers."""
    return ["--key", key, "--manifest", manifest, "--chain", chain]


def verdict(what, holds, why=""):
    """Prints it; ends the run when it does not hold."""
    print(f"{'ok  ' if holds else 'FAIL'} {what}", flush=True)
    if not holds:
        print(why, file=sys.stderr)
        raise SystemExit(1)


def greeted(lines):
    """Whether the lines of a peer say that every stream opened, a greeting came, and the bulk went there and back."""
    said = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
    opened = {line["open"] for line in said if "open" in line}
    hello = any(line.get("stream") == "control" and line["message"]["kind"] == "hello" for line in said if "message" in line)
    return opened == set(papers.STREAMS) and hello


def offers(host, command, arguments, bulk):
    """What a peer prints that offers to a node."""
    words = [*command, *arguments, "--seconds", SECONDS, *(["--bulk", bulk] if bulk else [])]
    words = host.inside(words) if host else [str(word) for word in words]
    done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS + 20)
    return done.stdout, f"{done.stdout}{done.stderr}"


def listener(host, port, arguments):
    """Starts an aiortc node that takes offers; its URL."""
    name = f"listen-{port}"
    host.start(name, [*peers()["aiortc"], *arguments, "--seconds", 600, "listen", f"{host.ipv4}:{port}"])
    until = time.monotonic() + READY_TIMEOUT_S
    while "listens" not in host.log(name).read_text():
        if time.monotonic() > until:
            raise field.Failed("the aiortc node does not listen, see its log")
        time.sleep(0.05)
    return f"http://{host.ipv4}:{port}"


def among_themselves(f, folder):
    """Each offers to an aiortc node; strangers are refused, at either end."""
    house = House(folder)
    at = f.host("aiortc")
    url = listener(at, PORT, house.papers("listener"))
    # It takes its own house's offers, and answers with a manifest that nobody else has heard of.
    forged = house.papers("forged", issuer=Ed25519PrivateKey.generate())
    stranger = listener(at, PORT + 1, forged)
    for number, (name, command) in enumerate(peers().items()):
        host = f.host(f"peer{number}")
        good = house.papers(f"node{number}")
        out, all_of_it = offers(host, command, [*good, "offer", url], BULK)
        both = greeted(out) and f'"bulk":{BULK}' in out.replace(" ", "")
        verdict(f"{name} connects to aiortc: four streams, greetings, {BULK} messages there and back", both, all_of_it)
        out, all_of_it = offers(host, command, [*good, "offer", stranger], 0)
        refused = "nobody who may" in out and not greeted(out)
        verdict(f"{name} refuses an answer by a manifest of another issuer", refused, all_of_it)
        wrong = {"of another issuer": {"issuer": Ed25519PrivateKey.generate()}, "that expired": {"days": -1}}
        for what, changed in wrong.items():
            bad = house.papers(f"bad{number}", **changed)
            out, all_of_it = offers(host, command, [*bad, "offer", url], 0)
            verdict(f"{name} with a manifest {what} is refused", "status 403" in out, all_of_it)


def before_a_node(f, command, folder):
    """Each offers to the node that a command starts."""
    at = f.host("node")
    at.start("node", ["sh", "-c", command.replace("{address}", at.ipv4).replace("{port}", str(PORT))])
    listens = f"import socket; socket.create_connection(('{at.ipv4}', {PORT}), 1)"
    until = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            at.run("python3", "-c", listens)
            break
        except field.Failed:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
    folder = Path(folder)
    names = sorted(path.stem for path in folder.glob("*.key"))
    for name, who in zip(peers(), names, strict=False):
        own = options(folder / f"{who}.key", folder / f"{who}.json", folder / "chain.json")
        offered(f.host(f"peer-{who}"), name, [*own, "offer", f"http://{at.ipv4}:{PORT}"])


def offered(host, name, arguments):
    """One peer offers to a node of Echo."""
    out, all_of_it = offers(host, peers()[name], arguments, 0)
    verdict(f"{name} connects to the node: four streams, greetings", greeted(out), all_of_it)


def main():
    """Runs it; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("logs", "node", "papers", "url", "key", "manifest", "chain", "token"):
        parser.add_argument(f"--{name}")
    chosen = parser.parse_args()
    if chosen.url:
        arguments = [*options(chosen.key, chosen.manifest, chosen.chain), "offer", chosen.url]
        arguments += ["--token", chosen.token] if chosen.token else []
        for name in peers():
            offered(None, name, arguments)
        return 0
    try:
        field.enter()
    except field.Skip as why:
        print(f"NOT RUN: {why}")
        return 0
    with tempfile.TemporaryDirectory() as scratch, field.Field(chosen.logs or scratch) as f:
        if chosen.node:
            before_a_node(f, chosen.node, chosen.papers)
        else:
            among_themselves(f, scratch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
