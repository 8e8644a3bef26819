import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, fromBase64, fromHex, Key, open, toBase64, toHex } from "../dist/envelope.js";
import { Node, Refused } from "../dist/index.js";

const MANIFEST = "application/vnd.echo.node-manifest.v1+json";
const ANSWER = "application/vnd.echo.mesh-answer.v1+json";
const key = (byte) => Key.fromSecret(new Uint8Array(32).fill(byte));
const [ISSUER, STRANGER, PEER] = await Promise.all([7, 8, 9].map(key));

const chain = {
  versions: [
    { payload: btoa(JSON.stringify({ version: 3, roles: { device_issuer: { keys: [toHex(ISSUER.publicKey)] } } })) },
  ],
};

/** The zero key's node; its name is the published vector of the did:key method. */
const node = () => Node.of({ key: "00".repeat(32), manifest: { mine: true }, chain });

async function manifest({ issuer = ISSUER, expires = "2999-01-01T00:00:00Z", of = PEER } = {}) {
  const { did } = await Node.of({ key: "09".repeat(32), manifest: {}, chain });
  return issuer.sign(MANIFEST, { did, name: "peer", public_key: toHex(of.publicKey), expires });
}

/** The peer's answer to `expected`, with what a test changes. */
async function answered(expected, change = {}, maker = {}) {
  const { did } = await Node.of({ key: "09".repeat(32), manifest: {}, chain });
  const document = { from: did, to: expected.to, session: expected.session, offer: expected.offer, sdp: "v=0", ...change };
  return { manifest: await manifest(maker), body: await (maker.signer ?? PEER).sign(ANSWER, document) };
}

test("the published vector of did:key holds", async () => {
  assert.equal((await node()).did, "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp");
});

test("the signature is RFC 8032's over the encoding of DSSE", async () => {
  // RFC 8032, section 7.1, TEST 1: the public key of this secret.
  const secret = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
  const signer = await Key.fromSecret(fromHex(secret));
  assert.equal(toHex(signer.publicKey), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  const envelope = await signer.sign("text/plain", "hi");
  assert.equal(atob(envelope.payload), '"hi"');
  assert.equal(await open(envelope, "text/plain", [signer.publicKey]), "hi");
  await assert.rejects(open(envelope, "text/html", [signer.publicKey]), Refused);
});

test("an offer says what the mesh wants, and its answer is taken", async () => {
  const mine = await node();
  const [offer, expected] = await mine.offer("v=0", undefined, "token");
  const said = JSON.parse(new TextDecoder().decode(fromBase64(offer.body.payload)));
  assert.deepEqual(Object.keys(said).sort(), ["from", "made", "registry", "sdp", "session", "token"]);
  assert.equal(said.registry, 3);
  assert.match(said.session, /^[0-9a-f]{32}$/);
  assert.equal(expected.offer, await digestOf(offer.body));
  const found = await mine.check(await answered(expected), expected);
  assert.equal(found.name, "peer");
});

test("a changed byte of an answer is refused", async () => {
  const mine = await node();
  const [, expected] = await mine.offer("v=0");
  const good = await answered(expected);
  const bytes = fromBase64(good.body.payload);
  for (const at of [0, bytes.length >> 1, bytes.length - 1]) {
    const changed = bytes.slice();
    changed[at] ^= 1;
    const body = { ...good.body, payload: toBase64(changed) };
    await assert.rejects(mine.check({ ...good, body }, expected), /does not match/);
  }
});

const WRONG = {
  "to another offer": [{ offer: "sha256:00" }, {}, /offer/],
  "of another session": [{ session: "00" }, {}, /session/],
  "to somebody else": [{ to: "did:key:z6Mk" }, {}, /`to`/],
  "in another's name": [{ from: "did:key:z6Mk" }, {}, /not from the manifest's node/],
  "signed by another key, with a stolen manifest": [{}, { signer: STRANGER }, /nobody who may/],
  "with another's key in the manifest": [{}, { signer: STRANGER, of: STRANGER }, /not from the manifest's node/],
  "with a manifest of another issuer": [{}, { issuer: STRANGER }, /nobody who may/],
  "with a manifest that expired": [{}, { expires: "2020-01-01T00:00:00Z" }, /expired/],
};

for (const [what, [change, maker, why]] of Object.entries(WRONG)) {
  test(`an answer ${what} is refused`, async () => {
    const mine = await node();
    const [, expected] = await mine.offer("v=0");
    await assert.rejects(mine.check(await answered(expected, change, maker), expected), why);
  });
}

test("an answer of another node than the one that was asked is refused", async () => {
  const mine = await node();
  const [, expected] = await mine.offer("v=0", "did:key:z6MkOther");
  await assert.rejects(mine.check(await answered(expected), expected), /`from`/);
});
