"""One end of the discovery benchmark on python-zeroconf and aiortc: `lan_aiortc.py wait|come`. README.md says what is on stdout."""

import asyncio
import json
import socket
import sys
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from aiortc import RTCPeerConnection, RTCSessionDescription
from zeroconf import ServiceStateChange
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

SERVICE = "_mesh-bench._tcp.local."
PATIENCE_S = 10


def say(what):
    """One line."""
    print(json.dumps({what: True}), flush=True)


def listener(address, loop, peers):
    """Takes offers over HTTP, and sends back what comes; its port."""

    async def answer(sdp):
        peer = RTCPeerConnection()
        peers.append(peer)
        peer.on("datachannel", lambda channel: channel.on("message", channel.send))
        await peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        return peer.localDescription.sdp

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            sdp = self.rfile.read(int(self.headers["content-length"])).decode()
            said = asyncio.run_coroutine_threadsafe(answer(sdp), loop).result(PATIENCE_S).encode()
            self.send_response(201)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer((address, 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


async def connect(url, peers):
    """Offers, and is done with the first byte that comes back."""
    peer = RTCPeerConnection()
    peers.append(peer)
    channel = peer.createDataChannel("rpc")
    came = asyncio.Event()
    channel.on("open", lambda: channel.send(b"\x01"))
    channel.on("message", lambda _: came.set())
    await peer.setLocalDescription(await peer.createOffer())

    def post():
        with urllib.request.urlopen(url, peer.localDescription.sdp.encode(), timeout=PATIENCE_S) as reply:
            return reply.read().decode()

    await peer.setRemoteDescription(RTCSessionDescription(await asyncio.to_thread(post), "answer"))
    await came.wait()
    say("first_byte")


async def main(role, address):
    """Announces, looks, and connects to whom it finds, when it is the one that comes."""
    peers, found = [], asyncio.Queue()
    port = listener(address, asyncio.get_running_loop(), peers)
    zeroconf = AsyncZeroconf(interfaces=[address])
    own = f"{uuid.uuid4().hex}.{SERVICE}"

    def heard(zeroconf, service_type, name, state_change):
        if state_change is ServiceStateChange.Added and name != own:
            found.put_nowait(name)

    browser = AsyncServiceBrowser(zeroconf.zeroconf, SERVICE, handlers=[heard])
    if role == "come":
        say("looks")
    # A name of 128 random bits has no rival to be asked for first: that is left out, as it is by Echo.
    info = AsyncServiceInfo(SERVICE, own, port, addresses=[socket.inet_aton(address)], server=f"{uuid.uuid4().hex}.local.")
    await zeroconf.async_register_service(info, cooperating_responders=True)
    if role == "wait":
        say("looks")
        await asyncio.Event().wait()
    there = AsyncServiceInfo(SERVICE, await found.get())
    if not await there.async_request(zeroconf.zeroconf, PATIENCE_S * 1000):
        raise SystemExit("it is announced, and not to be resolved")
    await connect(f"http://{there.parsed_addresses()[0]}:{there.port}/", peers)
    await browser.async_cancel()
    await zeroconf.async_close()
    for peer in peers:
        await peer.close()


asyncio.run(main(sys.argv[2], sys.argv[1]))
