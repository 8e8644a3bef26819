"""What two nodes of Echo's mesh sign before they are connected, written from its description alone (docs/mesh.md).

A paper is a DSSE envelope. On the wire goes `{"manifest": envelope, "body": envelope}`: the signer's manifest, certified
by a device issuer of the trust registry, and an offer or an answer signed by the manifest's own key.
"""

import base64
import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MANIFEST_TYPE = "application/vnd.echo.node-manifest.v1+json"
OFFER_TYPE = "application/vnd.echo.mesh-offer.v1+json"
ANSWER_TYPE = "application/vnd.echo.mesh-answer.v1+json"
MAX_SIGNAL_BYTES = 64 * 1024
# The deprecation notices that a node knows, as one digest: that of none.
NO_NOTICES = "sha256:" + hashlib.sha256(b"").hexdigest()
STREAMS = ("control", "rpc", "telemetry", "bulk")
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Refused(Exception):
    """A paper does not hold; or the other side refused ours."""


def now():
    """The time as papers carry it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def did_key(public):
    """The `did:key` of a raw public key (W3C CCG, The did:key Method v0.9)."""
    number, text = int.from_bytes(b"\xed\x01" + public), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return f"did:key:z{text}"


def key_id(public):
    """How an envelope names a key: the first 32 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:32]


def pre_authentication_encoding(payload_type, payload):
    """The bytes that are signed (DSSE protocol 1.0.2)."""
    return f"DSSEv1 {len(payload_type)} {payload_type} {len(payload)} ".encode() + payload


def sign(payload_type, document, key):
    """An envelope over a document."""
    payload = json.dumps(document, separators=(",", ":")).encode()
    signature = key.sign(pre_authentication_encoding(payload_type, payload))
    return {
        "payloadType": payload_type,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"keyid": key_id(key.public_key().public_bytes_raw()), "sig": base64.b64encode(signature).decode()}],
    }


def opened(envelope, payload_type, keys):
    """The document in an envelope, once one of these raw keys has signed it."""
    if envelope["payloadType"] != payload_type:
        raise Refused(f"it holds {envelope['payloadType']} where {payload_type} is wanted")
    payload = base64.b64decode(envelope["payload"], validate=True)
    known = {key_id(key): key for key in keys}
    for signature in envelope["signatures"]:
        if signature["keyid"] in known:
            try:
                key = Ed25519PublicKey.from_public_bytes(known[signature["keyid"]])
                key.verify(base64.b64decode(signature["sig"]), pre_authentication_encoding(payload_type, payload))
            except InvalidSignature as error:
                raise Refused(f"the signature of {signature['keyid']} does not match") from error
            return json.loads(payload)
    raise Refused(f"{payload_type}: nobody who may has signed it")


def digest_of(envelope):
    """The name of a paper: the digest of its payload."""
    return "sha256:" + hashlib.sha256(base64.b64decode(envelope["payload"])).hexdigest()


class Node:
    """A node: its key, its manifest, and whom it believes."""

    def __init__(self, key_file, manifest_file, chain_file):
        """Reads a key of 64 hexadecimal digits, a manifest's envelope, and a trust chain.

        They are `device.key`, `device.json` and `chain.json` of a probe's home. Nothing of the chain is verified here:
        tests/foreign/verify_dsse.py does that.
        """
        self.key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(Path(key_file).read_text().strip()))
        self.did = did_key(self.key.public_key().public_bytes_raw())
        manifest = json.loads(Path(manifest_file).read_text())
        self.manifest = manifest.get("manifest", manifest)
        newest = json.loads(Path(chain_file).read_text())["versions"][-1]
        registry = json.loads(base64.b64decode(newest["payload"]))
        self.registry = registry["version"]
        self.issuers = [bytes.fromhex(key) for key in registry["roles"]["device_issuer"]["keys"]]

    def signed(self, payload_type, document):
        """What goes on the wire."""
        return {"manifest": self.manifest, "body": sign(payload_type, document, self.key)}

    def offer(self, sdp, to=None, token=None):
        """A signed offer, and what its answer must say."""
        document = {"from": self.did, "session": os.urandom(16).hex(), "made": now(), "registry": self.registry, "sdp": sdp}
        document |= {name: value for name, value in (("to", to), ("token", token)) if value}
        signed = self.signed(OFFER_TYPE, document)
        expected = {"session": document["session"], "offer": digest_of(signed["body"]), "to": self.did}
        return signed, expected | ({"from": to} if to else {})

    def answer(self, offer, signed_offer, sdp):
        """The signed answer to an offer."""
        return self.signed(ANSWER_TYPE, {
            "from": self.did, "to": offer["from"], "session": offer["session"],
            "offer": digest_of(signed_offer["body"]), "made": now(), "sdp": sdp,
        })  # fmt: skip

    def check(self, signed, payload_type, expected=()):
        """The manifest and the paper of another node, once an issuer certified it and its key signed the paper."""
        manifest = opened(signed["manifest"], MANIFEST_TYPE, self.issuers)
        if datetime.fromisoformat(manifest["expires"].replace("Z", "+00:00")) <= datetime.now(UTC):
            raise Refused(f"the manifest expired on {manifest['expires']}")
        public = bytes.fromhex(manifest["public_key"])
        paper = opened(signed["body"], payload_type, [public])
        if not did_key(public) == manifest["did"] == paper["from"]:
            raise Refused("the paper is not from the manifest's node")
        for name, value in dict(expected).items():
            if paper.get(name) != value:
                raise Refused(f"`{name}` is {paper.get(name)}, not {value}")
        return manifest, paper

    def hello(self):
        """The first message on the control stream."""
        known = {"registry": self.registry, "revocations": 0, "notices": NO_NOTICES}
        return json.dumps({"kind": "hello", "at": now(), **known})
