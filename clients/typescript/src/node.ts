// A node: its key, its manifest, whom it believes, and the papers by which two nodes begin.
import { type Bytes, didKey, digestOf, type Envelope, fromBase64, fromHex, Key, open, Refused, toHex } from "./envelope.js";

const MANIFEST_TYPE = "application/vnd.echo.node-manifest.v1+json";
const OFFER_TYPE = "application/vnd.echo.mesh-offer.v1+json";
/** The deprecation notices that a node knows, as one digest: the SHA-256 of none. */
const NO_NOTICES = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ANSWER_TYPE = "application/vnd.echo.mesh-answer.v1+json";

/** Something signed, with who signed it. */
export interface Signed {
  /** The signer's manifest, certified by the device issuer. */
  readonly manifest: Envelope;
  /** What it says, signed by the node's own key. */
  readonly body: Envelope;
}

/** What a node is made of. */
export interface Papers {
  /** The secret key: 64 hexadecimal digits. */
  readonly key: string;
  /** The node's manifest, certified by the device issuer. */
  readonly manifest: Envelope;
  /**
   * The trust registry's versions, oldest first. They must come from where the caller trusts them to: nothing of them is
   * verified here.
   */
  readonly chain: { readonly versions: readonly { readonly payload: string }[] };
}

/** What an answer must say. */
export interface Expected {
  readonly to: string;
  readonly session: string;
  readonly offer: string;
  /** Who must answer, when the offer named somebody. */
  readonly from?: string;
}

/** An answer that held. */
export interface Answered {
  /** The node that answered, as a `did:key`. */
  readonly node: string;
  /** What people call it. */
  readonly name: string;
  /** Its answer. */
  readonly sdp: string;
}

interface Registry {
  readonly version: number;
  readonly roles: Readonly<Record<string, { readonly keys: readonly string[] }>>;
}

/** This end of the mesh. */
export class Node {
  private constructor(
    private readonly key: Key,
    private readonly manifest: Envelope,
    private readonly registry: Registry,
    /** Its name: the `did:key` of its key. */
    readonly did: string,
  ) {}

  /** Reads a node's papers. */
  static async of(papers: Papers): Promise<Node> {
    const newest = papers.chain.versions.at(-1);
    if (!newest) throw new Refused("the trust registry holds no version");
    const registry = JSON.parse(new TextDecoder().decode(fromBase64(newest.payload))) as Registry;
    const key = await Key.fromSecret(fromHex(papers.key.trim()));
    return new Node(key, papers.manifest, registry, didKey(key.publicKey));
  }

  /** A signed offer, and what its answer must say. */
  async offer(sdp: string, to?: string, token?: string): Promise<[Signed, Expected]> {
    const session = toHex(crypto.getRandomValues(new Uint8Array(16)));
    const made = new Date().toISOString();
    const document = {
      from: this.did,
      ...(to !== undefined && { to }),
      session,
      ...(token !== undefined && { token }),
      made,
      registry: this.registry.version,
      sdp,
    };
    const body = await this.key.sign(OFFER_TYPE, document);
    const expected = { to: this.did, session, offer: await digestOf(body), ...(to !== undefined && { from: to }) };
    return [{ manifest: this.manifest, body }, expected];
  }

  /** What an answer says, once an issuer certified its maker, its maker signed it, and it answers what was asked. */
  async check(signed: Signed, expected: Expected): Promise<Answered> {
    const issuers = (this.registry.roles["device_issuer"]?.keys ?? []).map(fromHex);
    const manifest = await open(signed.manifest, MANIFEST_TYPE, issuers);
    if (Date.parse(text(manifest, "expires")) <= Date.now()) {
      throw new Refused(`the manifest expired on ${text(manifest, "expires")}`);
    }
    const key: Bytes = fromHex(text(manifest, "public_key"));
    const answer = await open(signed.body, ANSWER_TYPE, [key]);
    const node = text(answer, "from");
    if (node !== didKey(key) || node !== manifest["did"]) {
      throw new Refused("the answer is not from the manifest's node");
    }
    for (const [name, value] of Object.entries(expected)) {
      if (answer[name] !== value) throw new Refused(`the answer's \`${name}\` is not ${String(value)}`);
    }
    return { node, name: text(manifest, "name"), sdp: text(answer, "sdp") };
  }

  /** The first message on the control stream. */
  hello(): string {
    const at = new Date().toISOString();
    return JSON.stringify({ kind: "hello", at, registry: this.registry.version, revocations: 0, notices: NO_NOTICES });
  }
}

function text(document: Record<string, unknown>, field: string): string {
  const value = document[field];
  if (typeof value !== "string") throw new Refused(`\`${field}\` is missing`);
  return value;
}
