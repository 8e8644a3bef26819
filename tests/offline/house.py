"""A platform in a network namespace without any interface, and what is done to it; all of it under the watch."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from watch import Seen, Watched

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60
# What must not stand in a transcript that is kept.
SECRETS = [
    (re.compile(r"(token=|tok_)[0-9a-zA-Z_.\-]{20,}"), r"\1..."),
    (re.compile(r"(AGE-SECRET-KEY-|echo_key_|echk_|enr_)[0-9a-zA-Z_.\-]{10,}"), r"\1..."),
]


class Wrong(Exception):
    """Something is not as it must be."""


def enter():
    """Goes on in a network namespace of its own, in which every interface is down; loopback too."""
    if os.environ.get("ECHO_OFFLINE_INSIDE") == "1":
        return
    alone = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run([*alone, "true"], capture_output=True).returncode:
        print(f"NOT RUN: no network namespace can be made here ({' '.join(alone)} is refused)")
        sys.exit(0)
    os.environ["ECHO_OFFLINE_INSIDE"] = "1"
    os.execvp(alone[0], [*alone, sys.executable, "-B", *sys.argv])


def interfaces():
    """The names of the interfaces that are up, of this namespace."""
    listed = subprocess.run(["ip", "-json", "link", "show", "up"], capture_output=True, text=True, check=True).stdout
    return [link["ifname"] for link in json.loads(listed or "[]") if link]


def loopback_up():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


class House:
    """The programs, a scratch folder, and what was seen of each entry point."""

    def __init__(self, programs, scratch):
        self.programs = Path(programs).resolve()
        self.scratch = Path(scratch)
        self.seen = {}
        self.transcript = []
        self.timings = {}
        self.wrong = []
        self.count = 0
        os.environ.update(
            HOME=str(self.scratch), XDG_CONFIG_HOME=str(self.scratch / "config"), XDG_DATA_HOME=str(self.scratch / "data"),
            NO_COLOR="1", ECHO_LOG="warn,desk=info,mesh_link=info",
        )  # fmt: skip

    def program(self, name):
        return str(self.programs / name)

    def say(self, line):
        print(line, flush=True)
        self.transcript.append(line)

    def run(self, entry, argv, codes=(0,), stdin="", lan=(), env=None):
        """Runs a program to its end under the watch, and gives what it printed."""
        self.count += 1
        watched = Watched(
            self.scratch, f"{self.count:03}", argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, errors="replace", env={**os.environ, **(env or {})},
        )  # fmt: skip
        try:
            out, err = watched.process.communicate(stdin, PATIENCE_S)
        except subprocess.TimeoutExpired as slow:
            watched.process.kill()
            watched.process.communicate()
            raise Wrong(f"{entry}: not done within {PATIENCE_S} s") from slow
        seconds = time.monotonic() - watched.began
        self.note(entry, watched.seen(lan))
        self.tell(entry, argv, watched.process.returncode, seconds, out + err)
        if codes is not None and watched.process.returncode not in codes:
            raise Wrong(f"{entry} ended with {watched.process.returncode}, not {codes}: {(err or out)[-600:]}")
        return out + err

    def note(self, entry, seen):
        self.seen.setdefault(entry, Seen()).add(seen)

    def tell(self, entry, argv, code, seconds, said):
        """A line of the transcript, and the first words of what was said."""
        words = " ".join(str(word) for word in [Path(argv[0]).name, *argv[1:]]).replace(str(self.scratch), "SCRATCH")
        self.timings[entry] = round(self.timings.get(entry, 0) + seconds, 3)
        self.transcript.append(f"$ {redacted(words)}\n  -> {code} after {seconds:.2f} s")
        self.transcript.extend(f"  | {redacted(line)[:160]}" for line in said.replace(str(self.scratch), "SCRATCH").splitlines()[:6])

    def serve(self, entry, home, *arguments, env=None):
        return Platform(self, entry, home, arguments, env)


def redacted(text):
    for secret, kept in SECRETS:
        text = secret.sub(kept, text)
    return text


class Platform:
    """`echo_os_prime` under the watch."""

    def __init__(self, house, entry, home, arguments, env=None):
        self.house, self.entry = house, entry
        house.count += 1
        self.out = house.scratch / f"platform-{house.count}.out"
        self.err = house.scratch / f"platform-{house.count}.err"
        argv = [house.program("echo_os_prime"), "--home", str(home), "--listen", "127.0.0.1:0", *arguments]
        self.argv = argv
        with open(self.out, "w") as out, open(self.err, "w") as err:
            self.watched = Watched(
                house.scratch, f"{house.count:03}", argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env={**os.environ, **(env or {})},
            )  # fmt: skip
        self.url = self.printed("ready")
        self.ready_seconds = time.monotonic() - self.watched.began
        self.link = self.printed("sign in:")

    def printed(self, words):
        for _ in range(PATIENCE_S * 20):
            for line in self.out.read_text().splitlines():
                if line.startswith(words):
                    return line[len(words) :].strip()
            if self.watched.process.poll() is not None:
                break
            time.sleep(0.05)
        raise Wrong(f"the platform did not say {words!r}: {self.said()[-800:]}")

    def said(self):
        return self.out.read_text() + self.err.read_text()

    def resident_kib(self):
        status = Path(f"/proc/{self.watched.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def stop(self, lan=()):
        code = self.watched.stop()
        self.house.note(self.entry, self.watched.seen(lan))
        self.house.tell(self.entry, self.argv, code, self.ready_seconds, self.said())
        if code != 0:
            raise Wrong(f"the platform ended with {code}: {self.said()[-800:]}")


def refused(house, entry, home, *arguments, env=None):
    """A start that must be refused; what it says."""
    argv = [house.program("echo_os_prime"), "--home", str(home), "--listen", "127.0.0.1:0", *arguments]
    return house.run(entry, argv, codes=(1,), env=env)


def until(what, look, seconds=PATIENCE_S):
    """Looks again and again until there is an answer that counts."""
    began = time.monotonic()
    last = None
    while time.monotonic() - began < seconds:
        try:
            last = look()
            if last:
                return last
        except (Wrong, OSError, ValueError, KeyError) as error:
            last = error
        time.sleep(0.3)
    raise Wrong(f"not within {seconds} s: {what}; the last look gave {str(last)[-400:]!r}")


def copied(house, name, source):
    """A copy of a home, to be spoilt."""
    target = house.scratch / name
    shutil.copytree(source, target)
    return target
