"""The programs under test: processes in hosts of a field that speak in JSON lines."""

import json
import queue
import subprocess
import threading
import time

import field

LINE_TIMEOUT_S = 120


class End:
    """One end of a connection."""

    def __init__(self, host, command, role):
        self.what, self.log = f"{' '.join(command)} {role}", host.log(role)
        self.began = time.perf_counter()
        self.process = host.start(role, [*command, role], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put((time.perf_counter(), line))
        self.lines.put((None, None))

    def hear(self):
        """The next line it says."""
        return self.heard()[1]

    def heard(self):
        """How many milliseconds after its start the next line came, and the line."""
        try:
            at, line = self.lines.get(timeout=LINE_TIMEOUT_S)
        except queue.Empty:
            line = None
        if line is None:
            raise field.Failed(f"{self.what}: says nothing more: {self.log.read_text()[-1000:]}")
        return (at - self.began) * 1e3, json.loads(line)

    def say(self, document):
        """A line to it."""
        self.process.stdin.write(json.dumps(document).encode() + b"\n")
        self.process.stdin.flush()

    def end(self, seconds=10):
        """Ends it: it has so long to do so by itself."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
