"""A machine in QEMU without any network: its serial line is read and written, its screen is photographed."""

import codecs
import json
import os
import re
import shutil
import socket
import subprocess
import time

FIRMWARE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd"
# An emulated machine on a busy host now and then stands still before the kernel's first word.
SILENT = 180


class Failed(Exception):
    """What was expected did not come."""


class Machine:
    """One run of QEMU, from power on to power off."""

    def __init__(self, folder, disk, transcript, name, second=None, memory=1024, processors=2):
        self.folder, self.name, self.transcript = folder, name, transcript
        self.text, self.at, self.began = "", 0, time.monotonic()
        self.decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        variables = os.path.join(folder, "variables.fd")
        if not os.path.exists(variables):
            shutil.copy(VARIABLES, variables)
        serial, control = (os.path.join(folder, f"{name}.{end}") for end in ("serial", "qmp"))
        command = [
            "qemu-system-x86_64", "-name", "atlas", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max",
            "-smp", str(processors), "-m", str(memory), "-nic", "none", "-display", "none", "-vga", "std",
            "-device", "virtio-rng-pci",
            "-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}",
            "-drive", f"if=pflash,format=raw,file={variables}",
            "-drive", f"file={disk},if=virtio,format=raw,cache=writeback",
            "-serial", f"unix:{serial},server=on,wait=off", "-qmp", f"unix:{control},server=on,wait=off",
        ]
        if second:
            command += ["-drive", f"file={second},if=virtio,format=raw,readonly=on"]
        self.log(f"\n===== {name}: {' '.join(command)}\n")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.serial = self.connect(serial)
        self.serial.settimeout(1)
        self.control = self.connect(control)
        self.control.settimeout(30)
        self.control.recv(65536)
        self.say_control("qmp_capabilities")

    @staticmethod
    def connect(path):
        for _ in range(200):
            line = socket.socket(socket.AF_UNIX)
            try:
                line.connect(path)
                return line
            except OSError:
                line.close()
                time.sleep(0.05)
        raise Failed(f"QEMU did not open {path}")

    def say_control(self, execute, **arguments):
        self.control.sendall(json.dumps({"execute": execute, "arguments": arguments}).encode() + b"\n")
        answer = b""
        while b'"return"' not in answer and b'"error"' not in answer:
            answer += self.control.recv(65536)
        return answer

    def log(self, text):
        self.transcript.write(text)
        self.transcript.flush()

    def seconds(self):
        return time.monotonic() - self.began

    def read(self):
        """Takes what the serial line has; False when the machine is off."""
        try:
            data = self.serial.recv(65536)
        except socket.timeout:
            return True
        except OSError:
            data = b""
        if not data:
            return False
        text = re.sub(r"\x1b\[[0-9;?=]*[a-zA-Z]", "", self.decode(data)).replace("\r", "")
        self.text += text
        self.log(text)
        return True

    def expect(self, pattern, seconds=300, unless="That did not work"):
        """Waits for a pattern after what was matched last, and returns its match."""
        end = time.monotonic() + seconds
        while True:
            found = re.compile(pattern).search(self.text, self.at)
            if found:
                self.at = found.end()
                return found
            if unless and re.compile(unless).search(self.text, self.at):
                raise Failed(f"{self.name}: `{unless}` came in place of `{pattern}`")
            if time.monotonic() > end:
                raise Failed(f"{self.name}: `{pattern}` did not come within {seconds} s; last words:\n{self.text[-1500:]}")
            if not self.read():
                found = re.compile(pattern).search(self.text, self.at)
                if found:
                    continue
                raise Failed(f"{self.name}: the machine went off before `{pattern}` came; last words:\n{self.text[-1500:]}")

    def expect_start(self, pattern, unless="That did not work"):
        """Waits for a word of the system after a restart. A start that stands still before the first word is reset twice."""
        for turn in range(3):
            try:
                return self.expect(pattern, SILENT, unless)
            except Failed:
                if turn == 2 or self.process.poll() is not None or "atlas: " in self.text[self.at:]:
                    raise
                self.log("\n===== reset: not a word\n")
                self.say_control("system_reset")

    def type(self, line):
        """Types a line as a person does: what a fast machine sends at once, a slow serial port loses."""
        for sign in line + "\n":
            self.serial.sendall(sign.encode())
            time.sleep(0.02)

    def answer(self, question, line, seconds=300):
        """Waits for a question and answers it."""
        self.expect(question, seconds)
        time.sleep(0.5)
        self.type(line)

    def press(self, key):
        """Presses a key of the machine's own keyboard: the screen's console is another one than the serial line's."""
        self.say_control("send-key", keys=[{"type": "qcode", "data": key}])

    def photograph(self, path):
        """The screen, as PNG."""
        raw = os.path.join(self.folder, "screen.ppm")
        self.say_control("screendump", filename=raw)
        for _ in range(50):
            if os.path.exists(raw) and os.path.getsize(raw) > 100:
                break
            time.sleep(0.1)
        time.sleep(0.5)
        with open(path, "wb") as target:
            subprocess.run(["pnmtopng", "-quiet", raw], check=True, stdout=target, stderr=subprocess.DEVNULL)
        os.remove(raw)

    def wait_off(self, seconds=180):
        """Waits until the machine went off by itself."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            if not self.read():
                time.sleep(0.1)
            if time.monotonic() > end:
                raise Failed(f"{self.name}: the machine did not go off within {seconds} s; last words:\n{self.text[-1500:]}")

    def cut(self):
        """Takes the power away."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.serial.close()
        self.control.close()
