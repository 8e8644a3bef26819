"""bench/RESULTS.md: each benchmark owns the section between its two marks."""

import platform
import re
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench/RESULTS.md"


def write_section(name, title, command, lines):
    """Puts `lines` under `title` into the section `name`, and leaves the other sections as they are."""
    section = "\n".join([f"<!-- {name} -->", f"## {title}", "", *machine(command), "", *lines, f"<!-- /{name} -->"])
    text = RESULTS.read_text() if RESULTS.exists() else "# Results\n"
    marked = re.compile(rf"<!-- {name} -->.*?<!-- /{name} -->", re.DOTALL)
    if marked.search(text):
        text = marked.sub(lambda _: section, text)
    else:
        text = f"{text.rstrip()}\n\n{section}\n"
    RESULTS.write_text(text)


def machine(command):
    """When and on what it was measured."""
    models = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory_kib = int(Path("/proc/meminfo").read_text().split()[1])
    rustc = subprocess.run(["rustc", "--version"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    return [
        f"Measured by `{command}` on {time.strftime('%Y-%m-%d')}: {len(models)} cores of {models[0] if models else platform.machine()},",
        f"{memory_kib / (1 << 20):.0f} GiB of memory, Linux {platform.release()}, {rustc}.",
    ]
