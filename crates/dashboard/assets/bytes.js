// Bytes as text and back, and SHA-256. Runs in browsers and in Node.

const subtle = globalThis.crypto?.subtle;

/** Whether this place can check signatures at all: browsers only do on https and on localhost. */
export const canVerify = subtle !== undefined;

export const utf8 = (text) => new TextEncoder().encode(text);

export function concat(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Bytes of hexadecimal digits; throws on anything else. */
export function fromHex(text) {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new Error("not hexadecimal");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** Bytes of standard base64 with padding, in its one spelling; throws on anything else. */
export function fromBase64(text) {
  let binary;
  try {
    binary = atob(text);
  } catch {
    throw new Error("not base64");
  }
  if (btoa(binary) !== text) throw new Error("not canonical base64");
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}

export const equal = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);

export async function sha256(bytes) {
  return new Uint8Array(await subtle.digest("SHA-256", bytes));
}

/** Whether `signature` is `key`'s (32 raw bytes) over `message` (RFC 8032). */
export async function signed(key, message, signature) {
  const imported = await subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  return subtle.verify({ name: "Ed25519" }, imported, signature, message);
}
