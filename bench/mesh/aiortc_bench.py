"""One end of the mesh benchmark on aiortc: `aiortc_bench.py offer|answer`. README.md says what is on stdin and stdout."""

import asyncio
import json
import sys
import time

from aiortc import RTCPeerConnection, RTCSessionDescription

PINGS, PING_BYTES = 1000, 64
MESSAGES, MESSAGE_BYTES = 4096, 16 * 1024
BUFFERED_MOST = 1024 * 1024


def say(document):
    """One line to the other side of the pipe."""
    print(json.dumps(document), flush=True)


async def heard():
    """The next line."""
    return json.loads(await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline))


async def answer():
    """Answers one offer, sends pings back, counts what comes on bulk."""
    peer = RTCPeerConnection()
    received = 0

    @peer.on("datachannel")
    def opened(channel):
        @channel.on("message")
        def message(data):
            nonlocal received
            if channel.label == "rpc":
                channel.send(data)
                return
            received += len(data)
            if received == MESSAGES * MESSAGE_BYTES:
                channel.send(b"all")

    say({"ready": True})
    await peer.setRemoteDescription(RTCSessionDescription((await heard())["sdp"], "offer"))
    await peer.setLocalDescription(await peer.createAnswer())
    say({"sdp": peer.localDescription.sdp})
    await heard()
    await peer.close()


async def offer():
    """Connects, measures, says what it measured."""
    say({"ready": True})
    await heard()
    began = time.perf_counter()
    peer = RTCPeerConnection()
    channels, inbox = {}, asyncio.Queue()
    both = asyncio.Event()

    def watch(label):
        channel = peer.createDataChannel(label)

        @channel.on("open")
        def is_open():
            channels[label] = channel
            if len(channels) == 2:
                both.set()

        channel.on("message", inbox.put_nowait)

    watch("rpc")
    watch("bulk")
    await peer.setLocalDescription(await peer.createOffer())
    offered = time.perf_counter()
    say({"sdp": peer.localDescription.sdp})
    await peer.setRemoteDescription(RTCSessionDescription((await heard())["sdp"], "answer"))
    await both.wait()
    opened = time.perf_counter()
    round_trips = []
    for _ in range(PINGS):
        sent = time.perf_counter()
        channels["rpc"].send(bytes(PING_BYTES))
        await inbox.get()
        round_trips.append((time.perf_counter() - sent) * 1e6)
    seconds = await pour(channels["bulk"], inbox)
    say({
        "offer_ms": (offered - began) * 1e3, "connect_ms": (opened - offered) * 1e3,
        "rtt_us": round_trips, "bytes": MESSAGES * MESSAGE_BYTES, "seconds": seconds,
    })  # fmt: skip
    await peer.close()


async def pour(channel, inbox):
    """Sends the large thing; seconds until the other end has all of it."""
    room = asyncio.Event()
    channel.bufferedAmountLowThreshold = BUFFERED_MOST // 2
    channel.on("bufferedamountlow", room.set)
    message = bytes(MESSAGE_BYTES)
    began = time.perf_counter()
    for _ in range(MESSAGES):
        if channel.bufferedAmount > BUFFERED_MOST:
            room.clear()
            await room.wait()
        channel.send(message)
    await inbox.get()
    return time.perf_counter() - began


asyncio.run({"offer": offer, "answer": answer}[sys.argv[1]]())
