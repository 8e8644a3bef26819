// A link to another node: one WebRTC session with four data channels.
import { Refused } from "./envelope.js";
import type { Node, Signed } from "./node.js";

/** The streams of a link, by the labels of their data channels; each reliable and in order. */
export const STREAMS = ["control", "rpc", "telemetry", "bulk"] as const;
/** One of them. */
export type Stream = (typeof STREAMS)[number];

/** Most that waits to be sent on a stream before {@link Link.send} waits for room, in bytes. */
const MOST_BUFFERED = 256 * 1024;
const GATHERING_TIMEOUT_MS = 2_000;
const OPEN_TIMEOUT_MS = 15_000;

/** How a link is made. */
export interface Options {
  /** Takes a signed offer to the other node, and brings back what it says: by HTTP, or through a gateway. */
  readonly signal: (offer: Signed) => Promise<unknown>;
  /** Everything that comes in. */
  readonly message: (stream: Stream, data: string | Uint8Array<ArrayBuffer>) => void;
  /** Whom to connect to, as a `did:key`; whoever answers when it is missing. */
  readonly to?: string;
  /** The token of the announcement that led there. */
  readonly token?: string;
  /** Makes the connection, where there is no `RTCPeerConnection`, or one that needs settings. */
  readonly create?: () => RTCPeerConnection;
}

/** A link that is up. */
export class Link {
  private constructor(
    private readonly connection: RTCPeerConnection,
    private readonly channels: ReadonlyMap<Stream, RTCDataChannel>,
    /** Who is at the other end, as a `did:key`. */
    readonly node: string,
    /** What people call it. */
    readonly name: string,
  ) {}

  /** Connects to a node, greets it, and resolves when all four streams are open. Throws {@link Refused}. */
  static async connect(node: Node, options: Options): Promise<Link> {
    const connection = options.create?.() ?? new RTCPeerConnection();
    try {
      const channels = new Map(STREAMS.map((stream) => [stream, connection.createDataChannel(stream)]));
      const open = Promise.all([...channels].map(([stream, channel]) => opened(stream, channel, options)));
      // It is waited for below; until then a failure must not count as one that nobody handles.
      open.catch(() => {});
      await connection.setLocalDescription(await connection.createOffer());
      await gathered(connection);
      const [offer, expected] = await node.offer(connection.localDescription?.sdp ?? "", options.to, options.token);
      const answered = await node.check(signedOf(await options.signal(offer)), expected);
      await connection.setRemoteDescription({ type: "answer", sdp: answered.sdp });
      await within(open, OPEN_TIMEOUT_MS, "the streams do not open: the nodes find no path to one another");
      channels.get("control")?.send(node.hello());
      return new Link(connection, channels, answered.node, answered.name);
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** Sends a message, once there is room for it. */
  async send(stream: Stream, data: string | Uint8Array<ArrayBuffer>): Promise<void> {
    const channel = this.channels.get(stream);
    if (!channel || channel.readyState !== "open") throw new Refused(`the ${stream} stream is closed`);
    if (channel.bufferedAmount > MOST_BUFFERED) await drained(channel);
    if (typeof data === "string") channel.send(data);
    else channel.send(data);
  }

  /** Ends it. */
  close(): void {
    this.connection.close();
  }
}

function signedOf(reply: unknown): Signed {
  if (typeof reply === "object" && reply !== null && "manifest" in reply && "body" in reply) return reply as Signed;
  throw new Refused(`no answer came, but ${JSON.stringify(reply)}`);
}

function opened(stream: Stream, channel: RTCDataChannel, { message }: Options): Promise<void> {
  channel.binaryType = "arraybuffer";
  channel.bufferedAmountLowThreshold = MOST_BUFFERED / 2;
  channel.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) => {
    message(stream, typeof data === "string" ? data : new Uint8Array(data));
  });
  return new Promise((resolve, reject) => {
    channel.addEventListener("open", () => resolve());
    channel.addEventListener("close", () => reject(new Refused(`the ${stream} stream was closed`)));
  });
}

function drained(channel: RTCDataChannel): Promise<void> {
  return new Promise((resolve, reject) => {
    channel.addEventListener("bufferedamountlow", () => resolve(), { once: true });
    channel.addEventListener("close", () => reject(new Refused(`the ${channel.label} stream was closed`)), { once: true });
    // It may have drained before anybody listened.
    if (channel.bufferedAmount <= MOST_BUFFERED / 2) resolve();
  });
}

/** Every candidate is in the offer: nothing is sent after it. What takes too long is left out. */
async function gathered(connection: RTCPeerConnection): Promise<void> {
  const complete = new Promise<void>((resolve) => {
    const look = () => {
      if (connection.iceGatheringState === "complete") resolve();
    };
    connection.addEventListener("icegatheringstatechange", look);
    look();
  });
  await within(complete, GATHERING_TIMEOUT_MS, "").catch(() => {});
}

async function within<T>(work: Promise<T>, milliseconds: number, why: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Refused(why)), milliseconds);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
