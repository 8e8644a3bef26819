"""A node of the mesh on aiortc.

    aiortc_peer.py --key K --manifest M --chain C offer http://HOST:PORT [--token T]
    aiortc_peer.py --key K --manifest M --chain C listen ADDRESS:PORT

`device.key`, `device.json` and `chain.json` of a probe's home are K, M and C. Offers to a node, or takes the offers of
others; greets, prints every message as a JSON line, and sends back what comes on `bulk`. With --bulk N the offering
side sends so many messages on `bulk` and ends when all are back. Ends after --seconds, with 1 when it was not greeted.
"""

import argparse
import asyncio
import json
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import papers
from aiortc import RTCPeerConnection, RTCSessionDescription

OFFERS = "/v1/mesh/offers"
HTTP_TIMEOUT_S = 15
BULK_BYTES = 16 * 1024


def say(**line):
    """One JSON line."""
    print(json.dumps(line), flush=True)


class Peer:
    """One connection."""

    def __init__(self, node, echoes):
        self.node, self.echoes = node, echoes
        self.connection = RTCPeerConnection()
        self.channels, self.back = {}, 0
        self.greeted, self.open, self.moved = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.connection.on("datachannel", self.take)
        self.connection.on("connectionstatechange", lambda: say(state=self.connection.connectionState))

    def take(self, channel):
        """Uses a channel, ours or the other's."""
        self.channels[channel.label] = channel
        channel.on("message", lambda data: self.message(channel, data))
        channel.on("open", lambda: self.opened(channel))
        if channel.readyState == "open":
            self.opened(channel)

    def opened(self, channel):
        say(open=channel.label)
        if channel.label == "control":
            channel.send(self.node.hello())
        if len(self.channels) == len(papers.STREAMS) and all(c.readyState == "open" for c in self.channels.values()):
            self.open.set()

    def message(self, channel, data):
        if channel.label == "bulk" and isinstance(data, bytes):
            self.back += 1
            self.moved.set()
            if self.echoes:
                channel.send(data)
            return
        say(stream=channel.label, **({"bytes": len(data)} if isinstance(data, bytes) else {"message": json.loads(data)}))
        if channel.label == "control" and isinstance(data, str) and json.loads(data).get("kind") == "hello":
            self.greeted.set()

    async def offer(self, url, token, to):
        """Offers, and connects when the answer holds."""
        for label in papers.STREAMS:
            self.take(self.connection.createDataChannel(label))
        await self.connection.setLocalDescription(await self.connection.createOffer())
        signed, expected = self.node.offer(self.connection.localDescription.sdp, to, token)
        reply = await asyncio.to_thread(post, url.rstrip("/") + OFFERS, signed)
        manifest, answer = self.node.check(reply, papers.ANSWER_TYPE, expected)
        say(answered_by=answer["from"], name=manifest["name"])
        await self.connection.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))

    async def answer(self, signed):
        """The signed answer to an offer that holds."""
        manifest, offer = self.node.check(signed, papers.OFFER_TYPE)
        if offer.get("to", self.node.did) != self.node.did:
            raise papers.Refused("it is meant for another node")
        say(offered_by=offer["from"], name=manifest["name"])
        await self.connection.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        return self.node.answer(offer, signed, self.connection.localDescription.sdp)

    async def pour(self, count):
        """Sends so many messages on bulk, and waits until as many are back."""
        message = bytes(BULK_BYTES)
        for _ in range(count):
            while self.channels["bulk"].bufferedAmount > 16 * BULK_BYTES:
                await asyncio.sleep(0.001)
            self.channels["bulk"].send(message)
        while self.back < count:
            self.moved.clear()
            await self.moved.wait()
        say(bulk=count, bytes=count * BULK_BYTES)


def post(url, document):
    """Posts JSON; a refusal becomes `papers.Refused` with its own words."""
    request = urllib.request.Request(url, json.dumps(document).encode(), {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=HTTP_TIMEOUT_S) as reply:
            return json.loads(reply.read(papers.MAX_SIGNAL_BYTES + 1))
    except urllib.error.HTTPError as error:
        raise papers.Refused(f"status {error.code}: {error.read(4096).decode(errors='replace')}") from error


def listener(address, loop, node, peers):
    """An HTTP server for offers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            size = int(self.headers.get("content-length", 0))
            if self.path != OFFERS or size > papers.MAX_SIGNAL_BYTES:
                self.send_error(404 if self.path != OFFERS else 413)
                return
            body = self.rfile.read(size)
            status, reply = asyncio.run_coroutine_threadsafe(taken(body), loop).result(HTTP_TIMEOUT_S)
            self.send_response(status)
            self.send_header("content-type", "application/json" if status == 201 else "application/problem+json")
            self.end_headers()
            self.wfile.write(json.dumps(reply).encode())

        def log_message(self, *_):
            pass

    async def taken(body):
        peer = Peer(node, echoes=True)
        try:
            reply = await peer.answer(json.loads(body))
        except (papers.Refused, ValueError, KeyError, TypeError) as error:
            say(refused=str(error))
            return 403, {"status": 403, "title": "refused", "detail": str(error)}
        peers.append(peer)
        return 201, reply

    host, port = address.rsplit(":", 1)
    server = ThreadingHTTPServer((host, int(port)), Handler)
    Thread(target=server.serve_forever, daemon=True).start()


async def run(chosen):
    """Does what was asked; whether a greeting came."""
    node = papers.Node(chosen.key, chosen.manifest, chosen.chain)
    peers = []
    say(node=node.did)
    if chosen.role == "listen":
        listener(chosen.place, asyncio.get_running_loop(), node, peers)
        say(listens=chosen.place)
        await asyncio.sleep(chosen.seconds)
    else:
        peer = Peer(node, echoes=False)
        peers.append(peer)
        async with asyncio.timeout(chosen.seconds):
            await peer.offer(chosen.place, chosen.token, chosen.to)
            await peer.open.wait()
            await peer.greeted.wait()
            if chosen.bulk:
                await peer.pour(chosen.bulk)
        await asyncio.sleep(chosen.stay)
    greeted = any(peer.greeted.is_set() for peer in peers)
    for peer in peers:
        await peer.connection.close()
    return greeted


def main():
    """Reads the command line; the exit status."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("key", "manifest", "chain"):
        options.add_argument(f"--{name}", required=True)
    options.add_argument("role", choices=["offer", "listen"])
    options.add_argument("place", help="a node's URL, or the address to listen on")
    options.add_argument("--token", help="the token that the node announces")
    options.add_argument("--to", help="the node's did:key")
    options.add_argument("--bulk", type=int, default=0, help="messages of 16 KiB to send and to get back")
    options.add_argument("--seconds", type=float, default=30, help="the most time for all of it")
    options.add_argument("--stay", type=float, default=0.5, help="how long to listen on after all was done")
    try:
        return 0 if asyncio.run(run(options.parse_args())) else 1
    except (papers.Refused, OSError, TimeoutError) as error:
        say(failed=str(error) or type(error).__name__)
        return 1


if __name__ == "__main__":
    sys.exit(main())
