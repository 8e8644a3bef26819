// Checks a document against its signature and its ledger, with nothing but the browser's own cryptography.
//
// A pure module: it is given what to check and how to fetch, and answers what it found. It runs in Node as well.
import { concat, fromBase64, fromHex, hex, sha256, signed, utf8 } from "./bytes.js";
import { openCheckpoint, parseProof, parseVkey } from "./note.js";
import { isConsistent, isIncluded, leafHash } from "./tiles.js";

/** The bytes that are signed (DSSE, pre-authentication encoding). */
const encoding = (type, payload) =>
  concat(utf8(`DSSEv1 ${utf8(type).length} ${type} ${payload.length} `), payload);

const short = (bytes) => `${hex(bytes).slice(0, 16)}…`;

async function keyId(key) {
  return hex(await sha256(key)).slice(0, 32);
}

async function checkSignature({ document, signer }) {
  const { payloadType, payload, signatures } = document.envelope;
  const message = encoding(payloadType, fromBase64(payload));
  for (const key of signer.map(fromHex)) {
    const id = await keyId(key);
    const mine = signatures.find((one) => one.keyid === id);
    if (!mine) continue;
    if (await signed(key, message, fromBase64(mine.sig))) return `${message.length} bytes, by key ${id.slice(0, 16)}…`;
    throw new Error(`the signature of key ${id} does not match: the document was changed after it was signed`);
  }
  throw new Error("it is not signed by a key that may sign this");
}

async function checkEntry({ document }, wanted) {
  const { payloadType, payload, signatures } = document.envelope;
  const spelled = JSON.stringify({
    payloadType,
    payload,
    signatures: signatures.map(({ keyid, sig }) => ({ keyid, sig })),
  });
  const digest = hex(await sha256(utf8(spelled)));
  const entry = JSON.parse(document.entry);
  if (document.kind !== wanted.kind || document.id !== wanted.id) throw new Error("another document was sent");
  if (entry.kind !== wanted.kind || entry.id !== wanted.id) {
    throw new Error(`the ledger entry is for ${entry.kind} ${entry.id}`);
  }
  if (entry.digest !== `sha256:${digest}`) throw new Error("the ledger entry holds the digest of another document");
  return `sha256:${digest.slice(0, 16)}…`;
}

async function checkInclusion({ document, index }, { size, root }, proof) {
  if (proof.index !== index) throw new Error(`the proof is for entry ${proof.index}, not ${index}`);
  const leaf = await leafHash(document.entry);
  if (!(await isIncluded(leaf, index, size, proof.path, root))) {
    throw new Error(`the entry is not number ${index} of the ledger's ${size}`);
  }
  return `entry ${index} of ${size}, root ${short(root)}`;
}

async function checkConsistency({ log }, checkpoint, vkey, fetcher) {
  const now = await openCheckpoint(await fetcher.text(`/v1/ledgers/${log}/checkpoint`), vkey);
  if (now.size < checkpoint.size) throw new Error(`the ledger has shrunk from ${checkpoint.size} to ${now.size} entries`);
  const tile = (path) => fetcher.bytes(`/v1/ledgers/${log}/tile/${path}`);
  if (!(await isConsistent(checkpoint, now, tile))) {
    throw new Error(`the ledger of ${now.size} entries does not begin with the ${checkpoint.size} that were proven`);
  }
  return `the ledger has ${now.size} entries now and still begins with these ${checkpoint.size}`;
}

/**
 * Verifies a document as `GET /v1/documents/{kind}/{id}` gives it.
 *
 * `wanted` is the kind and id that were asked for; `fetcher` has `text(path)` and `bytes(path)`. Answers
 * `{ok, steps: [{name, ok, detail}]}`: each step with its numbers, up to and including the first that does not hold.
 */
export async function verifyDocument(view, wanted, fetcher) {
  const steps = [];
  const found = {};
  const plan = [
    ["Signature", () => checkSignature(view)],
    ["Ledger entry", () => checkEntry(view, wanted)],
    ["Ledger key", async () => {
      found.vkey = await parseVkey(view.vkey);
      return found.vkey.name;
    }],
    ["Checkpoint", async () => {
      found.proof = parseProof(view.document.proof);
      found.checkpoint = await openCheckpoint(found.proof.checkpoint, found.vkey);
      return `${found.checkpoint.size} entries, signed by the ledger`;
    }],
    ["Inclusion", () => checkInclusion(view, found.checkpoint, found.proof)],
    ["Still so today", () => checkConsistency(view, found.checkpoint, found.vkey, fetcher)],
  ];
  for (const [name, check] of plan) {
    try {
      steps.push({ name, ok: true, detail: await check() });
    } catch (error) {
      steps.push({ name, ok: false, detail: error.message });
      return { ok: false, steps };
    }
  }
  return { ok: true, steps };
}

