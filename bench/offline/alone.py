"""Measures the platform in the network namespace that it runs in, and prints JSON: bench/offline/run starts it in an empty one."""

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlparse

STARTS = 5
SETTLE_S = 8
TOKENS = 24


class Platform:
    """A platform that runs."""

    def __init__(self, programs, home):
        argv = [str(programs / "echo_os_prime"), "--home", str(home), "--listen", "127.0.0.1:0"]
        self.began = time.monotonic()
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = self.process.stdout.readline().split()[1]
        self.ready = time.monotonic() - self.began
        self.link = self.process.stdout.readline().split(": ", 1)[1].strip()

    def resident_mib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def first_answer(programs, scratch, home, models):
    """Seconds from the platform's start to the model's first word, and to its last."""
    (home / "echo.toml").write_text(f'[models]\nfolder = "{Path(models).resolve()}"\n')
    # A start before, so that signing in and making the key do not count: they are done by then.
    platform = Platform(programs, home)
    key = agent_key(programs, scratch, platform)
    platform.stop()
    platform = Platform(programs, home)
    try:
        where = urlparse(platform.url)
        door = http.client.HTTPConnection(where.hostname, where.port, timeout=300)
        ask = {"model": "small", "stream": True, "max_tokens": TOKENS, "messages": [{"role": "user", "content": "Say what a backup is."}]}
        listed = http.client.HTTPConnection(where.hostname, where.port, timeout=60)
        listed.request("GET", "/openai/v1/models", headers={"Authorization": f"Bearer {key}"})
        names = [model["id"] for model in json.load(listed.getresponse())["data"]]
        ask["model"] = next(name for name in names if "instruct" in name or "smol" in name)
        door.request("POST", "/openai/v1/chat/completions", json.dumps(ask), {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
        answer = door.getresponse()
        if answer.status != 200:
            return {"first answer": f"NOT RUN: {answer.read()[:200].decode()}"}
        first = None
        for line in answer:
            if first is None and b'"content":"' in line.replace(b'": "', b'":"') and b'"content":""' not in line:
                first = time.monotonic() - platform.began
        whole = time.monotonic() - platform.began
        return {
            "model's first word after the platform's start": f"{first:.2f} s" if first else "none",
            f"its answer of {TOKENS} tokens after the start": f"{whole:.2f} s",
            "resident with the model loaded": f"{platform.resident_mib():.0f} MiB",
        }
    finally:
        platform.stop()


def agent_key(programs, scratch, platform):
    cli = [str(programs / "echo_cli"), "--home", str(scratch / "person")]
    run = lambda *words, **more: subprocess.run([*cli, *words], check=True, capture_output=True, text=True, **more).stdout  # noqa: E731
    run("login", "--link", "-", input=platform.link)
    customer = re.search(r"cus_[0-9a-f]{32}", run("--json", "customer", "add", "--name", "Bench", "--plan", "pay-as-you-go")).group(0)
    key = scratch / "key"
    run("agent-key", "make", "--customer", customer, "--name", "Bench", "--skills", "model.chat", "--days", "1", "--out", str(key))
    return key.read_text().strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--models", required=True)
    chosen = parser.parse_args()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    found = {}
    with tempfile.TemporaryDirectory(prefix="echo-bench-alone-") as scratch:
        scratch = Path(scratch)
        os.environ.update(HOME=str(scratch), XDG_CONFIG_HOME=str(scratch), XDG_DATA_HOME=str(scratch))
        home = scratch / "home"
        starts = []
        for _ in range(STARTS):
            platform = Platform(chosen.programs, home)
            starts.append(platform.ready)
            platform.stop()
        found[f"ready, median of {STARTS} starts"] = f"{statistics.median(starts):.2f} s"
        platform = Platform(chosen.programs, home)
        time.sleep(SETTLE_S)
        found[f"resident, idle for {SETTLE_S} s"] = f"{platform.resident_mib():.0f} MiB"
        platform.stop()
        if (Path(chosen.models) / "models.json").exists() and shutil.which("ip"):
            found.update(first_answer(chosen.programs, scratch, home, chosen.models))
        else:
            found["first answer"] = "NOT RUN: no models: scripts/models --files-only target/models"
    print(json.dumps(found))


if __name__ == "__main__":
    main()
