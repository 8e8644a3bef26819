"""Peers of other makes before a real device of a real platform: Chromium, aiortc and node-datachannel are enrolled, offer,
and are let in; a stranger, a retired one, and ones with a changed or an unsigned manifest are refused, and both sides say why.

    before_echo.py [--programs DIR] [--keep FOLDER]

scripts/need field node mesh-python mesh-packages chromium browser-packages; run it with that Python.
"""

import base64
import json
import sys

import house
import interop
from house import Device, Platform, until

PORT = 4714


def papers_of(home):
    """The options that name a device's papers."""
    return interop.options(home / "device.key", home / "device.json", home / "chain.json")


def with_manifest(device, folder, change):
    """The device's papers with the manifest's envelope as `change` makes it."""
    identity = json.loads((device.home / "device.json").read_text())
    change(identity["manifest"])
    (folder / "changed.json").write_text(json.dumps(identity))
    return interop.options(device.home / "device.key", folder / "changed.json", device.home / "chain.json")


def another_name(envelope):
    """One word is changed, and the signature left as it was."""
    payload = json.loads(base64.b64decode(envelope["payload"]))
    payload["name"] = payload["name"] + "!"
    envelope["payload"] = base64.b64encode(json.dumps(payload, separators=(",", ":")).encode()).decode()


def no_signature(envelope):
    """The manifest is there, and nobody's signature."""
    envelope["signatures"] = []


def refused(host, name, arguments, url, code, bert):
    """A peer is refused; both sides say why."""
    out, all_of_it = interop.offers(host, interop.peers()[name], [*arguments, "offer", url], 0)
    interop.verdict(f"{name}: {code}: refused, and told so", code in all_of_it and not interop.greeted(out), all_of_it)

    def noted():
        return code in {refusal["code"] for refusal in bert.mesh("status")["view"]["refusals"]}

    until(f"the device remembers that it refused somebody: {code}", noted, 10)


def story(f, programs, folder):
    platform = Platform(f.host("hub"), programs, folder)
    bert = Device(f.host("bert"), platform, folder)
    bert.start("--mesh-listen", f"{bert.host.ipv4}:{PORT}")
    url = f"http://{bert.host.ipv4}:{PORT}"
    until("the device is up", lambda: bert.mesh("status"))
    for number, name in enumerate(interop.peers()):
        guest = Device(f.host(f"guest{number}"), platform, folder)
        interop.offered(guest.host, name, [*papers_of(guest.home), "offer", url])
    guest = Device(f.host("stranger"), platform, folder)
    name = next(iter(interop.peers()))
    strangers = interop.House(folder)
    refused(guest.host, name, strangers.papers("unknown"), url, "unknown_issuer", bert)
    refused(guest.host, name, with_manifest(guest, folder, another_name), url, "altered", bert)
    refused(guest.host, name, with_manifest(guest, folder, no_signature), url, "unsigned", bert)
    platform.cli("device", "retire", guest.id, "--yes")
    until("the device knows that one is revoked", lambda: bert.mesh("status")["view"]["trust"]["revocations"] > 0)
    refused(guest.host, name, papers_of(guest.home), url, "revoked", bert)


if __name__ == "__main__":
    sys.exit(house.tell(house.options(__doc__).parse_args(), story))
