"""What the offline suite keeps: transcript, calls, figures, pictures, and a manifest that the attestor signed."""

import base64
import hashlib
import json
import os
import platform as machine
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from house import ROOT, Wrong

STATEMENT = "https://in-toto.io/Statement/v1"
PAYLOAD = "application/vnd.in-toto+json"
PREDICATE = "https://echo.local/offline-run/v1"
PROGRAMS = ("echo_os_prime", "echo_cli", "echo_probe")


def pictures(house, url, link):
    """The overview as a browser shows it, in the same namespace. The browser itself is no entry point, and not watched."""
    env = {**os.environ, "ECHO_URL": url, "ECHO_SIGN_IN": link, "PICTURE": str(house.scratch / "dashboard.png")}
    done = subprocess.run(["node", str(ROOT / "tests/offline/picture.mjs")], env=env, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise Wrong(f"no picture: {done.stderr[-800:]}")
    house.say("picture: the dashboard in a browser, with no network")


def write(house, home, folder, seconds):
    """Writes all of it, and has `echo_cli` sign and check the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "transcript.txt").write_text("\n".join(house.transcript) + "\n")
    everything = Counter()
    for seen in house.seen.values():
        everything.update(seen.calls)
    calls = {
        "all": dict(sorted(everything.items())),
        "by entry point": {entry: dict(sorted(seen.calls.items())) for entry, seen in sorted(house.seen.items())},
        "left the machine": [],
    }
    (folder / "calls.json").write_text(json.dumps(calls, indent=1) + "\n")
    figures = {
        "seconds": round(seconds, 1),
        "timings": house.timings,
        "machine": f"{os.cpu_count()} cores, Linux {machine.release()} {machine.machine()}",
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": {name: version(house, name) for name in PROGRAMS} | {"strace": first_line(["strace", "--version"])},
    }
    (folder / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    picture = house.scratch / "dashboard.png"
    if picture.exists():
        shutil.copy(picture, folder / "dashboard.png")
    shutil.copy(home / "sovereign_trust_registry.json", folder / "trust.json")
    sign(house, home, folder, figures)


def version(house, name):
    done = subprocess.run([house.program(name), "--version"], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def first_line(argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def unsigned(subjects, claim):
    """An in-toto statement about these bytes, in an envelope that nobody has signed yet."""
    statement = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": hashlib.sha256(held).hexdigest()}} for name, held in subjects],
        "predicateType": PREDICATE,
        "predicate": claim,
    }
    payload = json.dumps(statement, separators=(",", ":")).encode()
    return json.dumps({"payload": base64.b64encode(payload).decode(), "payloadType": PAYLOAD, "signatures": []})


def sign(house, home, folder, figures):
    kept = sorted(path for path in folder.iterdir() if path.name not in ("manifest.json", "trust.json"))
    subjects = [(path.name, path) for path in kept] + [(f"program/{name}", Path(house.program(name))) for name in PROGRAMS]
    manifest = folder / "manifest.json"
    claim = {"at": figures["at"], "entry_points": len(house.seen), "left_the_machine": 0}
    manifest.write_text(unsigned([(name, path.read_bytes()) for name, path in subjects], claim))
    cli = [house.program("echo_cli"), "--home", str(home), "attestation"]
    root = next(line for line in (home / "Sovereign_Trust_Root.md").read_text().split() if line.strip("`.,").startswith("sha256:"))
    for words in (["sign", str(manifest), "--key", "home"], ["verify", str(manifest), "--root", root.strip("`.,")]):
        done = subprocess.run([*cli, *words], capture_output=True, text=True)
        if done.returncode:
            raise Wrong(f"the manifest: {done.stderr}{done.stdout}")
    print(f"recorded in {folder}: {len(subjects)} digests, signed by the attestor under the root {root}", file=sys.stderr)
