"""Everything Echo does, in a network namespace without any interface and under a watch over every network call.

tests/offline/README.md says what is tried. `--record FOLDER` keeps what was seen, signed.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import record
import scenes
from house import ROOT, House, Wrong, enter, loopback_up


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", default=os.environ.get("CARGO_TARGET_DIR", "target") + "/debug")
    parser.add_argument("--record", metavar="FOLDER", help="write transcript, calls, figures and a signed manifest here")
    parser.add_argument("--picture", action="store_true", help="take pictures of the dashboard, with the browser suite's means")
    parser.add_argument("--keep", action="store_true", help="leave the scratch folder")
    chosen = parser.parse_args()
    enter()
    scratch = Path(tempfile.mkdtemp(prefix="echo-offline-"))
    house = House(ROOT / chosen.programs, scratch)
    began = time.monotonic()
    try:
        home = story(house, chosen)
        left = watched(house)
        if chosen.record:
            record.write(house, home, Path(chosen.record), time.monotonic() - began)
    except Wrong as wrong:
        print("FAILED:", *house.wrong, wrong, sep="\n  ", file=sys.stderr)
        if chosen.keep:
            print(f"kept: {scratch}", file=sys.stderr)
        return 1
    finally:
        if not chosen.keep:
            shutil.rmtree(scratch, ignore_errors=True)
    print(f"1 passed, 0 failed in {time.monotonic() - began:.0f} s: {left}")
    return 0


def story(house, chosen):
    scenes.listed(house)
    scenes.bare(house)
    loopback_up()
    scenes.control(house)
    home = scenes.tour(house)
    fresh = shutil.copytree(home, house.scratch / "fresh")
    scenes.every(house, home, lambda url, link: record.pictures(house, url, link) if chosen.picture else None)
    scenes.clock(house, fresh)
    scenes.lan(house, fresh)
    return fresh


def watched(house):
    """Fails when a step went wrong or a call could have left the machine; else the sum in words."""
    if house.wrong:
        raise Wrong(f"{len(house.wrong)} steps went wrong")
    leaving = [f"{entry}: {line}" for entry, seen in house.seen.items() for line in seen.leaving]
    if leaving:
        raise Wrong("calls that leave the machine:\n  " + "\n  ".join(leaving[:40]))
    calls = sum(sum(seen.calls.values()) for seen in house.seen.values())
    if calls < 500:
        raise Wrong(f"only {calls} network calls were seen: is the watch awake?")
    return f"{len(house.seen)} entry points, {calls} network calls seen, none left the machine"


if __name__ == "__main__":
    sys.exit(main())
