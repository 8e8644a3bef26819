"""Gives a PE file a time of making that was said, and no check sum: stamp.py FILE SECONDS.

objcopy writes the time of day (Microsoft PE/COFF, "COFF File Header", TimeDateStamp). UEFI does not read the check sum.
"""

import struct
import sys

path, seconds = sys.argv[1], int(sys.argv[2])
with open(path, "r+b") as file:
    file.seek(0x3C)
    header = struct.unpack("<I", file.read(4))[0]
    file.seek(header)
    if file.read(4) != b"PE\0\0":
        sys.exit(f"{path} is no PE file")
    file.seek(header + 8)
    file.write(struct.pack("<I", seconds))
    # The optional header begins 24 bytes behind the signature; its check sum is at 64.
    file.seek(header + 24 + 64)
    file.write(bytes(4))
