"""A platform and devices that come and go for a long time: memory and file descriptors stay flat.

    soak.py [--minutes N] [--devices N] [--programs DIR] [--keep FOLDER]

Half a minute of churn is the warm-up; then the stayers are measured after each fault: the platform, the first device, which
nothing happens to, and the second, whose network alone is bad. The others are stopped and killed, too.
Each may have grown, from the median of the first fifth to that of the last, by a tenth and no more than the slack below.
"""

import os
import random
import statistics
import sys
import time
from pathlib import Path

import house
from house import Device, Platform, Wrong, until

WARM_UP_S = 30
# What an allocator may keep, and what a reconnection may hold open for a moment.
SLACK_KIB = 3 * 1024
SLACK_FILES = 6


def measure(process):
    """Resident memory in KiB, and open files, of the program that nsenter became."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    rss = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return rss, len(os.listdir(f"/proc/{process.pid}/fd"))


def churn(f, dice, devices):
    """Something happens to one of those that come and go, or to the network of the one before them."""
    what = dice.choice(("kill", "stop", "cut", "renumber", "no_udp"))
    device = dice.choice(devices[1:] if what in ("kill", "stop") else devices)
    if what in ("kill", "stop"):
        (device.process.kill if what == "kill" else device.process.terminate)()
        device.process.wait(15)
        time.sleep(dice.random() * 2)
        device.start()
    elif what == "cut":
        f.cut(device.host)
        time.sleep(1 + dice.random() * 3)
        f.mend(device.host)
    elif what == "renumber":
        f.renumber(device.host)
    else:
        f.drop_udp(device.host, keep=[5353])
        time.sleep(1 + dice.random() * 3)
        f.allow_udp(device.host)


def soak(f, programs, folder, minutes, count):
    dice = random.Random(7)
    platform = Platform(f.host("hub"), programs, folder)
    devices = [Device(f.host(f"node{n}"), platform, folder) for n in range(count)]
    for device in devices:
        device.start()
    names = [device.host.name for device in devices[1:]]
    until("the first device reaches all others", lambda: devices[0].sees(*names))
    stayers = {"platform": platform.process} | {device.host.name: device.process for device in devices[:2]}
    seen = {name: [] for name in stayers}
    began, events = time.monotonic(), 0
    while time.monotonic() - began < WARM_UP_S + minutes * 60:
        churn(f, dice, devices[1:])
        events += 1
        if time.monotonic() - began >= WARM_UP_S:
            for name, process in stayers.items():
                seen[name].append(measure(process))
        time.sleep(1)
    until("the first device reaches all others after the churn", lambda: devices[0].sees(*names))
    for name, samples in seen.items():
        judge(name, samples)
    print(f"ok  {events} faults in {minutes} min, and everybody is back", flush=True)


def judge(name, samples):
    fifth = max(1, len(samples) // 5)
    for what, index, slack in (("KiB", 0, SLACK_KIB), ("open files", 1, SLACK_FILES)):
        first = statistics.median(sample[index] for sample in samples[:fifth])
        last = statistics.median(sample[index] for sample in samples[-fifth:])
        if last > first * 1.1 + slack:
            raise Wrong(f"{name} grew from {first:.0f} to {last:.0f} {what}")
        print(f"ok  {name}: {first:.0f} {what} at first, {last:.0f} at last, {len(samples)} looks", flush=True)


def main():
    parser = house.options(__doc__)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--devices", type=int, default=4, help="at least 3")
    chosen = parser.parse_args()
    return house.tell(chosen, lambda f, programs, folder: soak(f, programs, folder, chosen.minutes, chosen.devices))


if __name__ == "__main__":
    sys.exit(main())
