"""Checks the signed papers of an Echo home with tools that Echo did not write.

    verify_dsse.py HOME --root sha256:FINGERPRINT

securesystemslib verifies the DSSE envelopes, in-toto-attestation reads the fulfilment proofs as in-toto Statement v1.
Starting from the fingerprint of the trust root: the trust registry, then every `ledger/rcpt_*.json` (role `receipts`)
and `attestations/proof_*.json` (role `attestor`), and that its ledger entry names its digest. Of each
paper, copies with one changed byte have to be refused. Prints what held; exits with 1 and a reason at the first thing
that does not.
"""

import argparse
import base64
import copy
import hashlib
import json
import pathlib
import sys
from datetime import datetime, timezone

from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

REGISTRY_TYPE = "application/vnd.echo.trust-registry.v1+json"
RECEIPT_TYPE = "application/vnd.echo.receipt.v1+json"
STATEMENT_TYPE = "application/vnd.in-toto+json"
FULFILMENT = "urn:echo:attestation:fulfilment:v1"
MAX_FILE = 24 * 1024 * 1024


class Refused(Exception):
    """Something does not hold."""


def read(path):
    with open(path, "rb") as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise Refused(f"larger than {MAX_FILE} bytes")
    return data


def key_of(public):
    """An Echo key as the library wants it: Echo names a key by the SHA-256 of its raw bytes, 32 hex digits of it."""
    keyid = hashlib.sha256(bytes.fromhex(public)).hexdigest()[:32]
    return SSlibKey(keyid, "ed25519", "ed25519", {"public": public})


def keys_of(registry, role):
    """The keys of a role that are not revoked, and how many of them must sign."""
    held = registry["root"] if role == "root" else registry["roles"][role]
    revoked = {revocation["key"] for revocation in registry.get("revoked", [])}
    keys = [key for key in map(key_of, held["keys"]) if key.keyid not in revoked]
    return keys, held["threshold"]


def opened(document, payload_type, registry, role):
    """The payload of an envelope, once the role has signed it."""
    try:
        # A copy: the library writes into what it reads.
        envelope = Envelope.from_dict(copy.deepcopy(document))
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(f"not an envelope: {error}") from error
    # The library leaves the type to its caller.
    if envelope.payload_type != payload_type:
        raise Refused(f"it holds {envelope.payload_type} where {payload_type} is wanted")
    keys, threshold = keys_of(registry, role)
    try:
        envelope.verify(keys, threshold)
    except (VerificationError, ValueError) as error:
        raise Refused(f"not signed as {role}: {error}") from error
    return envelope.payload


def trust(home, root):
    """The newest registry, once each version is signed by its own root and by the one before (TUF 5.3)."""
    newest = None
    for document in json.loads(read(home / "sovereign_trust_registry.json"))["versions"]:
        payload = base64.b64decode(document["payload"], validate=True)
        version = json.loads(payload)
        if newest is None:
            found = "sha256:" + hashlib.sha256(payload).hexdigest()
            if found != root:
                raise Refused(f"the trust root is {found}, not {root}")
        else:
            opened(document, REGISTRY_TYPE, newest, "root")
        opened(document, REGISTRY_TYPE, version, "root")
        expected = 1 if newest is None else newest["version"] + 1
        if version["version"] != expected:
            raise Refused(f"registry version {version['version']} stands where {expected} must")
        newest = version
    if newest is None:
        raise Refused("the registry holds no version")
    if datetime.fromisoformat(newest["expires"].replace("Z", "+00:00")) <= datetime.now(timezone.utc):
        raise Refused(f"the registry expired on {newest['expires']}")
    return newest


def receipt(data, registry):
    """The id and a description of a receipt."""
    body = json.loads(opened(json.loads(data), RECEIPT_TYPE, registry, "receipts"))
    return body["id"], f"receipt {body['number']}, {body['skill']}"


def statement_of(payload):
    """The statement in a payload, by the framework's own reader and rules."""
    try:
        statement = Statement.copy_from_pb(json_format.Parse(payload, statement_pb2.Statement()))
        statement.validate()
    except (json_format.ParseError, ValueError) as error:
        raise Refused(f"not an in-toto Statement v1: {error}") from error
    return statement.pb


def proof(data, registry):
    """The id and a description of a fulfilment proof."""
    payload = opened(json.loads(data), STATEMENT_TYPE, registry, "attestor")
    statement = statement_of(payload)
    if statement.predicate_type != FULFILMENT:
        raise Refused(f"it claims {statement.predicate_type}, not {FULFILMENT}")
    for subject in statement.subject:
        if len(bytes.fromhex(subject.digest["sha256"])) != 32:
            raise Refused(f"subject {subject.name} has no SHA-256")
    refuses_other_statements(payload)
    return statement.predicate["proof"], f"in-toto Statement v1 about {len(statement.subject)} subjects"


def refuses_other_statements(payload):
    """The framework's rules bite: the same claim about nothing, or of another version, is no Statement v1."""
    for change in ({"subject": []}, {"_type": "https://in-toto.io/Statement/v0.1"}):
        try:
            statement_of(json.dumps({**json.loads(payload), **change}))
        except Refused:
            continue
        raise Refused(f"a statement with {change} was taken")


def changed_copies(data):
    """Copies of an envelope's file with one changed byte: in the payload, the signature, the type."""
    for part in ("payload", "signature", "type"):
        document = json.loads(data)
        if part == "type":
            document["payloadType"] = document["payloadType"][:-1] + "m"
        else:
            holder, field = (document, "payload") if part == "payload" else (document["signatures"][0], "sig")
            raw = bytearray(base64.b64decode(holder[field], validate=True))
            raw[len(raw) // 2] ^= 1
            holder[field] = base64.b64encode(raw).decode()
        yield part, json.dumps(document).encode()


def check(path, home, registry, reader):
    """One paper: it verifies, its ledger entry names it, and no changed copy verifies."""
    data = read(path)
    found, what = reader(data, registry)
    if found != path.stem:
        raise Refused(f"it is {found}")
    entry = json.loads(read(home / "ledger" / f"{path.stem}.entry"))
    digest = "sha256:" + hashlib.sha256(data.removesuffix(b"\n")).hexdigest()
    if entry["id"] != found or entry["digest"] != digest:
        raise Refused("its ledger entry is of another document")
    for part, changed in changed_copies(data):
        try:
            reader(changed, registry)
        except Refused:
            continue
        raise Refused(f"a copy with one changed byte in the {part} was taken")
    return what


def main():
    arguments = argparse.ArgumentParser(description="Check the signed papers of an Echo home.")
    arguments.add_argument("home", type=pathlib.Path, help="the home, or a copy of it")
    arguments.add_argument("--root", required=True, help="fingerprint of the trust root: sha256:...")
    given = arguments.parse_args()
    path = given.home / "sovereign_trust_registry.json"
    try:
        registry = trust(given.home, given.root)
        print(f"verified trust registry version {registry['version']} from root {given.root}")
        for pattern, reader in (("ledger/rcpt_*.json", receipt), ("attestations/proof_*.json", proof)):
            papers = sorted(given.home.glob(pattern))
            for path in papers:
                what = check(path, given.home, registry, reader)
                print(f"verified {path.stem}: {what}; 3 changed copies refused")
            if not papers:
                path = given.home / pattern
                raise Refused("there is none")
    except (Refused, OSError, KeyError, TypeError, ValueError) as error:
        why = str(error) if isinstance(error, Refused) else repr(error)
        print(f"verify_dsse: {path}: {why}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
