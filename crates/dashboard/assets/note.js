// Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint) and inclusion proofs as text (C2SP tlog-proof).
import { concat, equal, fromBase64, fromHex, sha256, signed, utf8 } from "./bytes.js";

const ED25519 = 1;
const PROOF_HEADER = "c2sp.org/tlog-proof@v1";

/** A number as the specifications write it: digits, no leading zero, small enough to be exact. */
export function decimal(text) {
  const number = /^(0|[1-9]\d*)$/.test(text ?? "") ? Number(text) : NaN;
  if (!Number.isSafeInteger(number)) throw new Error(`not a number: ${text}`);
  return number;
}

export function hashOf(text) {
  const bytes = fromBase64(text ?? "");
  if (bytes.length !== 32) throw new Error("not a hash of 32 bytes");
  return bytes;
}

/** A verifier key `name+id+base64(0x01 || key)`; throws when its id does not match. */
export async function parseVkey(text) {
  const [, name, id, rest] = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text) ?? [];
  if (!name) throw new Error("the verifier key is malformed");
  const typed = fromBase64(rest);
  if (typed.length !== 33 || typed[0] !== ED25519) throw new Error("the verifier key is not an Ed25519 key");
  const digest = await sha256(concat(utf8(`${name}\n`), typed));
  if (!equal(digest.slice(0, 4), fromHex(id))) throw new Error("the verifier key's id does not match its key");
  return { name, id: fromHex(id), key: typed.slice(1) };
}

/** Opens a checkpoint: `{origin, size, root}` once `vkey` is seen to have signed it; throws otherwise. */
export async function openCheckpoint(note, vkey) {
  const end = note.indexOf("\n\n");
  if (end < 0) throw new Error("the checkpoint has no signatures");
  const body = note.slice(0, end + 1);
  const blob = note
    .slice(end + 2)
    .split("\n")
    .map((line) => /^\u2014 (\S+) (\S+)$/.exec(line))
    .filter((match) => match && match[1] === vkey.name)
    .map((match) => fromBase64(match[2]))
    .find((bytes) => bytes.length === 68 && equal(bytes.slice(0, 4), vkey.id));
  if (!blob) throw new Error(`the checkpoint is not signed by ${vkey.name}`);
  if (!(await signed(vkey.key, utf8(body), blob.slice(4)))) {
    throw new Error(`the signature of ${vkey.name} on the checkpoint is wrong`);
  }
  const [origin, size, root] = body.split("\n");
  if (origin !== vkey.name) throw new Error(`the checkpoint is of another ledger: ${origin}`);
  return { origin, size: decimal(size), root: hashOf(root) };
}

/** The parts of a tlog-proof: `{index, path, checkpoint}`, the checkpoint still as text. */
export function parseProof(text) {
  const end = text.indexOf("\n\n");
  const lines = text.slice(0, Math.max(end, 0)).split("\n");
  if (end < 0 || lines.shift() !== PROOF_HEADER) throw new Error("not an inclusion proof");
  if (lines[0]?.startsWith("extra ")) lines.shift();
  const index = decimal(/^index (\d+)$/.exec(lines.shift() ?? "")?.[1]);
  return { index, path: lines.map(hashOf), checkpoint: text.slice(end + 2) };
}
