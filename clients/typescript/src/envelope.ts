// DSSE envelopes (protocol 1.0.2) signed with Ed25519, by the Web Cryptography API alone.

/** One signature of an envelope. */
export interface Signature {
  /** Whose key: the first 32 hexadecimal digits of its SHA-256. */
  readonly keyid: string;
  /** In standard base64. */
  readonly sig: string;
}

/** A signed message. */
export interface Envelope {
  /** What the payload is, as a media type. */
  readonly payloadType: string;
  /** In standard base64. */
  readonly payload: string;
  readonly signatures: readonly Signature[];
}

/** Bytes that are not shared between threads: what the Web Cryptography API takes. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** Something that was signed does not hold, or the other side refused ours. */
export class Refused extends Error {
  override readonly name = "Refused";
}

const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/** What stands before the 32 bytes of a secret in PKCS #8 (RFC 8410, section 7). */
const PKCS8 = "302e020100300506032b657004220420";

/** Hexadecimal digits as bytes. */
export function fromHex(text: string): Bytes {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new Refused("not hexadecimal digits");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** Bytes as hexadecimal digits. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Standard base64 as bytes. */
export function fromBase64(text: string): Bytes {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** Bytes as standard base64. */
export function toBase64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

async function sha256(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** The digest of an envelope's payload, such as `sha256:9f…`: what other papers name it by. */
export async function digestOf(envelope: Envelope): Promise<string> {
  return `sha256:${toHex(await sha256(fromBase64(envelope.payload)))}`;
}

/** How envelopes name a raw public key. */
export async function keyId(key: Bytes): Promise<string> {
  return toHex(await sha256(key)).slice(0, 32);
}

/** The `did:key` of a raw public key (W3C CCG, The did:key Method v0.9). */
export function didKey(key: Bytes): string {
  let number = BigInt(`0xed01${toHex(key)}`);
  let text = "";
  for (; number > 0n; number /= 58n) text = BASE58.charAt(Number(number % 58n)) + text;
  return `did:key:z${text}`;
}

/** The bytes that are signed (DSSE protocol, section "Signature definition"). */
function preAuthenticationEncoding(payloadType: string, payload: Bytes): Bytes {
  const head = new TextEncoder().encode(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `);
  const encoded = new Uint8Array(head.length + payload.length);
  encoded.set(head);
  encoded.set(payload, head.length);
  return encoded;
}

/** A signing key. */
export class Key {
  private constructor(
    private readonly secret: CryptoKey,
    /** Its raw public half. */
    readonly publicKey: Bytes,
  ) {}

  /** The key of a secret of 32 bytes. */
  static async fromSecret(secret: Bytes): Promise<Key> {
    if (secret.length !== 32) throw new Refused("a secret key has 32 bytes");
    const key = await crypto.subtle.importKey("pkcs8", fromHex(PKCS8 + toHex(secret)), "Ed25519", true, ["sign"]);
    const { x } = await crypto.subtle.exportKey("jwk", key);
    if (x === undefined) throw new Refused("the key has no public half");
    const padded = x.replace(/-/g, "+").replace(/_/g, "/").padEnd(Math.ceil(x.length / 4) * 4, "=");
    return new Key(key, fromBase64(padded));
  }

  /** An envelope over a document. */
  async sign(payloadType: string, document: unknown): Promise<Envelope> {
    const payload = new TextEncoder().encode(JSON.stringify(document));
    const signature = await crypto.subtle.sign("Ed25519", this.secret, preAuthenticationEncoding(payloadType, payload));
    const signatures = [{ keyid: await keyId(this.publicKey), sig: toBase64(new Uint8Array(signature)) }];
    return { payloadType, payload: toBase64(payload), signatures };
  }
}

/** The document in an envelope, once one of these raw keys has signed it. Throws {@link Refused}. */
export async function open(
  envelope: Envelope,
  payloadType: string,
  keys: readonly Bytes[],
): Promise<Record<string, unknown>> {
  if (envelope.payloadType !== payloadType) {
    throw new Refused(`it holds ${envelope.payloadType} where ${payloadType} is wanted`);
  }
  const payload = fromBase64(envelope.payload);
  for (const raw of keys) {
    const id = await keyId(raw);
    const signature = envelope.signatures.find((candidate) => candidate.keyid === id);
    if (!signature) continue;
    const key = await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
    const encoded = preAuthenticationEncoding(payloadType, payload);
    if (!(await crypto.subtle.verify("Ed25519", key, fromBase64(signature.sig), encoded))) {
      throw new Refused(`the signature of key ${id} does not match`);
    }
    return JSON.parse(new TextDecoder().decode(payload)) as Record<string, unknown>;
  }
  throw new Refused(`${payloadType}: nobody who may has signed it`);
}
