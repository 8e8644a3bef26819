// The browser's own verification, over a small ledger made here. Run: node --test crates/dashboard/tests/js
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { concat, hex, sha256, utf8 } from "../../assets/bytes.js";
import { isConsistent, isIncluded, leafHash, tilePath } from "../../assets/tiles.js";
import { verifyDocument } from "../../assets/verify.js";

const { subtle } = globalThis.crypto;
const base64 = (bytes) => Buffer.from(bytes).toString("base64");
const WANTED = { kind: "receipt", id: "rcpt_1" };

async function makeKey() {
  const pair = await subtle.generateKey({ name: "Ed25519" }, true, ["sign", "verify"]);
  const raw = new Uint8Array(await subtle.exportKey("raw", pair.publicKey));
  const sign = async (message) => new Uint8Array(await subtle.sign({ name: "Ed25519" }, pair.privateKey, message));
  return { raw, sign };
}

/** The root of RFC 6962, section 2.1, written as the standard has it: an oracle for the tiles. */
async function oracle(leaves) {
  if (leaves.length === 0) return sha256(new Uint8Array());
  if (leaves.length === 1) return leaves[0];
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha256(concat(Uint8Array.of(1), await oracle(leaves.slice(0, k)), await oracle(leaves.slice(k))));
}

/** The inclusion path of RFC 6962, section 2.1.1. */
async function path(index, leaves) {
  if (leaves.length === 1) return [];
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return index < k
    ? [...(await path(index, leaves.slice(0, k))), await oracle(leaves.slice(k))]
    : [...(await path(index - k, leaves.slice(k))), await oracle(leaves.slice(0, k))];
}

async function tileOf(leaves, name) {
  const [, level, at, , width] = /^(\d)\/(\d{3})(\.p\/(\d+))?$/.exec(name);
  const all = [];
  if (level === "0") all.push(...leaves);
  else for (let i = 0; i + 256 <= leaves.length; i += 256) all.push(await oracle(leaves.slice(i, i + 256)));
  const from = Number(at) * 256;
  return concat(...all.slice(from, from + (width ? Number(width) : 256)));
}

async function note(key, origin, size, root) {
  const body = `${origin}\n${size}\n${base64(root)}\n`;
  const typed = concat(Uint8Array.of(1), key.raw);
  const id = (await sha256(concat(utf8(`${origin}\n`), typed))).slice(0, 4);
  const blob = concat(id, await key.sign(utf8(body)));
  return { text: `${body}\n\u2014 ${origin} ${base64(blob)}\n`, vkey: `${origin}+${hex(id)}+${base64(typed)}` };
}

/** A receipt in a ledger of `proven` entries, which has `size` now; and how to fetch the ledger. */
async function house({ proven = 5, size = 9, index = 3 } = {}) {
  const [signer, log] = [await makeKey(), await makeKey()];
  const payloadType = "application/vnd.echo.receipt.v1+json";
  const payload = utf8('{"id":"rcpt_1","amount":"4.00"}');
  const message = concat(utf8(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `), payload);
  const keyid = hex(await sha256(signer.raw)).slice(0, 32);
  const envelope = { payloadType, payload: base64(payload), signatures: [{ keyid, sig: base64(await signer.sign(message)) }] };
  const digest = hex(await sha256(utf8(JSON.stringify(envelope))));
  const entry = `{"v":1,"kind":"receipt","id":"rcpt_1","digest":"sha256:${digest}","at":"2026-11-22T10:00:00Z"}`;
  const entries = Array.from({ length: size }, (_, at) => (at === index ? entry : `entry ${at}`));
  const leaves = await Promise.all(entries.map(leafHash));
  const origin = "echo.test/aeterna/1";
  const then = await note(log, origin, proven, await oracle(leaves.slice(0, proven)));
  const lines = (await path(index, leaves.slice(0, proven))).map(base64);
  const proof = ["c2sp.org/tlog-proof@v1", `index ${index}`, ...lines, "", then.text].join("\n");
  const view = {
    document: { ...WANTED, envelope, entry, proof },
    log: "aeterna",
    index,
    vkey: then.vkey,
    signer: [hex(signer.raw)],
  };
  const ledger = { leaves, log, origin };
  const fetcher = {
    text: async () => (await note(log, origin, ledger.leaves.length, await oracle(ledger.leaves))).text,
    bytes: (name) => tileOf(ledger.leaves, name.replace("/v1/ledgers/aeterna/tile/", "")),
  };
  return { view, fetcher, ledger };
}

const other = await house();

describe("a document", () => {
  test("holds, with its numbers", async () => {
    const { view, fetcher } = await house();
    const outcome = await verifyDocument(view, WANTED, fetcher);
    assert.equal(outcome.ok, true, JSON.stringify(outcome.steps));
    assert.equal(outcome.steps.length, 6);
    assert.match(outcome.steps[4].detail, /^entry 3 of 5, root [0-9a-f]{16}…$/);
    assert.match(outcome.steps[5].detail, /9 entries now and still begins with these 5/);
  });

  const flip = (text) => text.replace(/[A-Za-z]/, (c) => (c === "A" ? "B" : "A"));
  const changes = {
    "another payload": ["Signature", (v) => (v.document.envelope.payload = btoa('{"id":"rcpt_1","amount":"9.00"}'))],
    "another payload type": ["Signature", (v) => (v.document.envelope.payloadType += "x")],
    "another signature": ["Signature", (v) => (v.document.envelope.signatures = other.view.document.envelope.signatures)],
    "no signature": ["Signature", (v) => (v.document.envelope.signatures = [])],
    "another signer": ["Signature", (v) => (v.signer = other.view.signer)],
    "a signature that is no base64": ["Signature", (v) => (v.document.envelope.signatures[0].sig = "?")],
    "an entry with another digest": ["Ledger entry", (v) => (v.document.entry = v.document.entry.replace(/sha256:./, (d) => d.slice(0, -1) + (d.endsWith("0") ? "1" : "0")))],
    "an entry for another receipt": ["Ledger entry", (v) => (v.document.entry = v.document.entry.replace("rcpt_1", "rcpt_2"))],
    "an entry that is no JSON": ["Ledger entry", (v) => (v.document.entry = "{")],
    "another document altogether": ["Ledger entry", (v) => (v.document.id = "rcpt_2")],
    "another ledger's key": ["Checkpoint", (v) => (v.vkey = other.view.vkey)],
    "a key whose id does not match": ["Ledger key", (v) => (v.vkey = v.vkey.replace(/\+[0-9a-f]{8}\+/, "+00000000+"))],
    "a proof without its header": ["Checkpoint", (v) => (v.document.proof = v.document.proof.slice(1))],
    "a checkpoint of another size": ["Checkpoint", (v) => (v.document.proof = v.document.proof.replace("\n5\n", "\n6\n"))],
    "a checkpoint without signatures": ["Checkpoint", (v) => (v.document.proof = v.document.proof.replace(/\u2014 .*\n/, ""))],
    "another index": ["Inclusion", (v) => (v.index = 2)],
    "another index in both places": ["Inclusion", (v) => ((v.index = 2), (v.document.proof = v.document.proof.replace("index 3", "index 2")))],
    "an index beyond the ledger": ["Inclusion", (v) => ((v.index = 7), (v.document.proof = v.document.proof.replace("index 3", "index 7")))],
    "another hash in the path": ["Inclusion", (v) => (v.document.proof = v.document.proof.replace(/(index 3\n)(.)/, (_, a, b) => a + flip(b)))],
    "a shorter path": ["Inclusion", (v) => (v.document.proof = v.document.proof.replace(/index 3\n.*\n/, "index 3\n"))],
    "an entry with other bytes": ["Inclusion", (v) => (v.document.entry = v.document.entry.replace(":00Z", ":01Z"))],
  };
  for (const [what, [step, change]] of Object.entries(changes)) {
    test(`with ${what} is refused`, async () => {
      const { view, fetcher } = await house();
      change(view);
      const outcome = await verifyDocument(view, WANTED, fetcher);
      assert.equal(outcome.ok, false);
      assert.equal(outcome.steps.at(-1).name, step, JSON.stringify(outcome.steps.at(-1)));
      assert.ok(outcome.steps.at(-1).detail.length > 5);
    });
  }

  test("in a ledger that was rewritten since is refused", async () => {
    const { view, fetcher, ledger } = await house();
    ledger.leaves[0] = await leafHash("another past");
    const outcome = await verifyDocument(view, WANTED, fetcher);
    assert.deepEqual([outcome.ok, outcome.steps.at(-1).name], [false, "Still so today"]);
  });

  test("in a ledger that has shrunk is refused", async () => {
    const { view, fetcher, ledger } = await house();
    ledger.leaves.length = 4;
    const outcome = await verifyDocument(view, WANTED, fetcher);
    assert.match(outcome.steps.at(-1).detail, /shrunk from 5 to 4/);
  });

  test("is not verified when the ledger cannot be asked", async () => {
    const { view } = await house();
    const away = { text: () => Promise.reject(new Error("away")) };
    assert.equal((await verifyDocument(view, WANTED, away)).ok, false);
  });
});

describe("trees", () => {
  const SIZES = [1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 700];

  test("tiles give the standard's roots, and show a changed past", async () => {
    const leaves = await Promise.all(Array.from({ length: 700 }, (_, at) => leafHash(`e${at}`)));
    const get = (name) => tileOf(leaves, name);
    const newer = { size: 700, root: await oracle(leaves) };
    for (const size of SIZES) {
      const older = { size, root: await oracle(leaves.slice(0, size)) };
      assert.ok(await isConsistent(older, newer, get), `${size}`);
      const forged = { size, root: await oracle(leaves.slice(1, size + 1)) };
      assert.ok(!(await isConsistent(forged, newer, get)), `${size} forged`);
    }
  });

  test("tiles that contradict one another are refused", async () => {
    const leaves = await Promise.all(Array.from({ length: 300 }, (_, at) => leafHash(`e${at}`)));
    const forged = [await leafHash("forged"), ...leaves.slice(1)];
    const get = (name) => tileOf(name.startsWith("0/000") ? forged : leaves, name);
    const older = { size: 100, root: await oracle(forged.slice(0, 100)) };
    const newer = { size: 300, root: await oracle(leaves) };
    await assert.rejects(isConsistent(older, newer, get), /contradict/);
  });

  test("every entry of every small tree is included, and nowhere else", async () => {
    for (let size = 1; size <= 17; size += 1) {
      const leaves = await Promise.all(Array.from({ length: size }, (_, at) => leafHash(`e${at}`)));
      const root = await oracle(leaves);
      for (let index = 0; index < size; index += 1) {
        const proof = await path(index, leaves);
        assert.ok(await isIncluded(leaves[index], index, size, proof, root));
        assert.ok(!(await isIncluded(leaves[index], (index + 1) % (size + 1), size, proof, root)));
      }
    }
  });

  test("tiles have the names of C2SP tlog-tiles", () => {
    assert.equal(tilePath(0, 0, 5), "0/000.p/5");
    assert.equal(tilePath(1, 1234067, 256), "1/x001/x234/067");
  });
});
