// The command line of the peers in JavaScript, the same as aiortc_peer.py's but for `listen`, and how they print and post.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

const text = { type: "string" };
const OFFERS = "/v1/mesh/offers";
const HTTP_TIMEOUT_MS = 15_000;

/** One JSON line. */
export function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** What was asked for, with the papers read. */
export function chosen() {
  const options = { key: text, manifest: text, chain: text, to: text, token: text, bulk: text, seconds: text, stay: text };
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const [role, url] = positionals;
  if (role !== "offer" || !url || !values.key || !values.manifest || !values.chain) {
    throw new Error("usage: --key FILE --manifest FILE --chain FILE [--to DID] [--token T] [--bulk N] offer URL");
  }
  const read = (name) => JSON.parse(readFileSync(values[name], "utf8"));
  const manifest = read("manifest");
  const { to, token, bulk = "0", seconds = "30", stay = "0.5" } = values;
  const key = readFileSync(values.key, "utf8").trim();
  return {
    url: url.replace(/\/$/, "") + OFFERS,
    seconds: Number(seconds),
    task: {
      papers: { key, manifest: manifest.manifest ?? manifest, chain: read("chain") },
      to,
      token,
      bulk: Number(bulk),
      stay: Number(stay),
    },
  };
}

/** Posts a signed offer; a refusal comes back as an error with its own words. */
export async function post(url, signed) {
  const reply = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(signed),
    signal: AbortSignal.timeout(HTTP_TIMEOUT_MS),
  });
  const said = await reply.text();
  if (!reply.ok) throw new Error(`status ${reply.status}: ${said.slice(0, 4096)}`);
  return JSON.parse(said);
}

/** Ends the process when it takes too long. */
export function atMost(seconds) {
  setTimeout(() => {
    say({ failed: `not done after ${seconds} s` });
    process.exit(1);
  }, seconds * 1000).unref();
}
