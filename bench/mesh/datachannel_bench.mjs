// One end of the mesh benchmark on node-datachannel: `datachannel_bench.mjs offer|answer`. README.md says what is on
// stdin and stdout.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

// The package is that of the mesh's tests.
const nodeDataChannel = createRequire(new URL("../../tests/mesh/package.json", import.meta.url))("node-datachannel");

const PINGS = 1000;
const PING_BYTES = 64;
const MESSAGES = 4096;
const MESSAGE_BYTES = 16 * 1024;
const BUFFERED_MOST = 1024 * 1024;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const heard = async () => JSON.parse((await lines.next()).value);
const say = (document) => process.stdout.write(`${JSON.stringify(document)}\n`);

/** Resolves with the description once every candidate is in it: there is nothing to trickle by. */
const described = (peer) =>
  new Promise((resolve) => {
    peer.onGatheringStateChange((state) => {
      if (state === "complete") resolve(peer.localDescription().sdp);
    });
  });

/** A queue: messages in, promises of messages out. */
function inbox() {
  const waiting = [];
  return {
    put: (message) => waiting.shift()?.(message),
    next: () => new Promise((resolve) => waiting.push(resolve)),
  };
}

async function answer() {
  const peer = new nodeDataChannel.PeerConnection("answer", { iceServers: [] });
  const kept = [];
  let received = 0;
  peer.onDataChannel((channel) => {
    kept.push(channel);
    const label = channel.getLabel();
    channel.onMessage((data) => {
      if (label === "rpc") {
        channel.sendMessageBinary(data);
        return;
      }
      received += data.length;
      if (received === MESSAGES * MESSAGE_BYTES) channel.sendMessageBinary(Buffer.from("all"));
    });
  });
  say({ ready: true });
  const done = described(peer);
  peer.setRemoteDescription((await heard()).sdp, "offer");
  say({ sdp: await done });
  await heard();
  peer.close();
}

async function offer() {
  say({ ready: true });
  await heard();
  const began = performance.now();
  const peer = new nodeDataChannel.PeerConnection("offer", { iceServers: [] });
  const done = described(peer);
  const box = inbox();
  const [rpc, bulk] = ["rpc", "bulk"].map((label) => {
    const channel = peer.createDataChannel(label);
    channel.onMessage(box.put);
    return channel;
  });
  const both = Promise.all([rpc, bulk].map((channel) => new Promise((resolve) => channel.onOpen(resolve))));
  const sdp = await done;
  const offered = performance.now();
  say({ sdp });
  peer.setRemoteDescription((await heard()).sdp, "answer");
  await both;
  const opened = performance.now();
  const roundTrips = [];
  for (let i = 0; i < PINGS; i += 1) {
    const sent = performance.now();
    const back = box.next();
    rpc.sendMessageBinary(Buffer.alloc(PING_BYTES));
    await back;
    roundTrips.push((performance.now() - sent) * 1e3);
  }
  const seconds = await pour(bulk, box);
  say({
    offer_ms: offered - began,
    connect_ms: opened - offered,
    rtt_us: roundTrips,
    bytes: MESSAGES * MESSAGE_BYTES,
    seconds,
  });
  peer.close();
}

/** Sends the large thing; seconds until the other end has all of it. */
async function pour(channel, box) {
  const message = Buffer.alloc(MESSAGE_BYTES);
  let room = () => {};
  channel.setBufferedAmountLowThreshold(BUFFERED_MOST / 2);
  channel.onBufferedAmountLow(() => room());
  const all = box.next();
  const began = performance.now();
  for (let i = 0; i < MESSAGES; i += 1) {
    if (channel.bufferedAmount() > BUFFERED_MOST) {
      // The library calls from a thread of its own: it may have drained between the question and the promise.
      await new Promise((resolve) => {
        room = resolve;
        if (channel.bufferedAmount() <= BUFFERED_MOST / 2) resolve();
      });
    }
    channel.sendMessageBinary(message);
  }
  await all;
  return (performance.now() - began) / 1e3;
}

await { offer, answer }[process.argv[2]]();
nodeDataChannel.cleanup();
process.exit(0);
