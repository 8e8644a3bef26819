"""Prints the kernel modules that a list asks for, and all that they depend on: modules.py TREE LIST all|early."""

import fnmatch
import pathlib
import sys

tree, wanted, which = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
needs = {}
for line in (tree / "modules.dep").read_text().splitlines():
    name, rest = line.split(":", 1)
    needs[name] = rest.split()
builtin = set((tree / "modules.builtin").read_text().split())
taken = set()
for line in wanted.read_text().splitlines():
    words = line.split()
    if not words or words[0].startswith("#"):
        continue
    if which == "early" and words[0] != "early":
        continue
    pattern = "kernel/" + words[-1]
    matching = [name for name in needs if fnmatch.fnmatch(name, pattern)]
    if not matching and not any(fnmatch.fnmatch(name, pattern) for name in builtin):
        sys.exit(f"{wanted}: no module matches {words[-1]}")
    for name in matching:
        taken.update([name, *needs[name]])
print("\n".join(sorted(taken)))
