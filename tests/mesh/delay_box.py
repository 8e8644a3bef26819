"""Carries frames between two interfaces and keeps each back for a while: netem for kernels without it.

    delay_box.py ONE OTHER MILLISECONDS [JITTER]

Every frame waits MILLISECONDS, plus up to JITTER at random; with a jitter frames overtake one another. At most QUEUE
frames wait a direction, the rest is dropped. Frames carry what the kernel noted about checksums and segments
(PACKET_VNET_HDR), so that offloads of virtual cables work as before.
"""

import heapq
import random
import select
import socket
import sys
import time

# linux/if_packet.h, linux/if_ether.h.
SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
ETH_P_ALL = 3
MAX_FRAME = 70_000
QUEUE = 10_000
BUFFER = 8 * 1024 * 1024


def interface(name):
    """A socket that hears every frame that comes in on an interface."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, BUFFER)
    sock.bind((name, ETH_P_ALL))
    sock.setblocking(False)
    return sock


def carry(one, other, delay, jitter):
    """Until it is ended."""
    across = {one: other, other: one}
    waiting = []
    count = 0
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, out, frame = heapq.heappop(waiting)
            try:
                out.send(frame)
            except OSError:
                pass  # The cable is cut, or full: the frame is lost, as on any cable.
        timeout = max(0, waiting[0][0] - now) if waiting else None
        for sock in select.select(across, [], [], timeout)[0]:
            try:
                frame = sock.recv(MAX_FRAME)
            except OSError:
                continue
            if len(waiting) < 2 * QUEUE:
                count += 1
                due = time.monotonic() + delay + random.random() * jitter
                heapq.heappush(waiting, (due, count, across[sock], frame))


if __name__ == "__main__":
    delay, jitter = (float(text) / 1000 for text in [*sys.argv[3:], "0"][:2])
    ends = [interface(name) for name in sys.argv[1:3]]
    print("carries", flush=True)
    carry(*ends, delay, jitter)
