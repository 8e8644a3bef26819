// Merkle trees (RFC 6962): inclusion proofs, and roots from a ledger's tiles (C2SP tlog-tiles).
import { concat, equal, sha256, utf8 } from "./bytes.js";

/** How many hashes a full tile has. */
const WIDTH = 256;
const HASH = 32;

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export const leafHash = (entry) => sha256(concat(LEAF, typeof entry === "string" ? utf8(entry) : entry));
const node = (left, right) => sha256(concat(NODE, left, right));

/** Whether `leaf` is number `index` of the tree with `size` leaves and `root` (RFC 9162, section 2.1.3.2). */
export async function isIncluded(leaf, index, size, path, root) {
  if (index >= size) return false;
  let at = index;
  let last = size - 1;
  let hash = leaf;
  for (const next of path) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      hash = await node(next, hash);
      while (at % 2 === 0 && at !== 0) {
        at /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      hash = await node(hash, next);
    }
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && equal(hash, root);
}

/** The root over subtrees of falling height: `[{height, hash}]`, as a tree of their leaves would have it. */
async function fold(parts) {
  const stack = [];
  for (const part of parts) {
    let top = part;
    while (stack.length > 0 && stack.at(-1).height === top.height) {
      const left = stack.pop();
      top = { height: top.height + 1, hash: await node(left.hash, top.hash) };
    }
    stack.push(top);
  }
  let root = stack.pop()?.hash ?? (await sha256(new Uint8Array()));
  while (stack.length > 0) root = await node(stack.pop().hash, root);
  return root;
}

/** A tile's path: `0/x001/234`, with `.p/W` when it is not full. */
export function tilePath(level, index, width) {
  const digits = String(index).padStart(3, "0");
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, "0").match(/\d{3}/g);
  const name = groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join("/");
  return `${level}/${name}${width < WIDTH ? `.p/${width}` : ""}`;
}

/** Reads tile hashes of a log with `size` entries; `get(path)` answers the bytes of a tile. */
class Tiles {
  constructor(size, get) {
    this.size = size;
    this.get = get;
    this.known = new Map();
  }

  async read(level, index) {
    const entries = Math.floor(this.size / WIDTH ** level);
    const path = tilePath(level, index, Math.min(WIDTH, entries - index * WIDTH));
    if (!this.known.has(path)) {
      const bytes = await this.get(path);
      const hashes = [];
      for (let at = 0; at + HASH <= bytes.length; at += HASH) hashes.push(bytes.slice(at, at + HASH));
      this.known.set(path, hashes);
    }
    return this.known.get(path);
  }

  /** The root over the first `count` entries. */
  async root(count) {
    const whole = Math.floor(count / WIDTH);
    const parts = [];
    for (let index = 0; index < whole; index += 1) {
      const tile = await this.read(1, Math.floor(index / WIDTH));
      parts.push({ height: 8, hash: tile[index % WIDTH] });
    }
    if (count % WIDTH > 0) {
      const tile = await this.read(0, whole);
      for (const hash of tile.slice(0, count % WIDTH)) parts.push({ height: 0, hash });
      // A tile that has filled up since must be the one that the level above speaks of.
      if (tile.length === WIDTH) {
        const above = (await this.read(1, Math.floor(whole / WIDTH)))[whole % WIDTH];
        const own = await fold(tile.map((hash) => ({ height: 0, hash })));
        if (!above || !equal(own, above)) throw new Error("the ledger's tiles contradict one another");
      }
    }
    if (parts.some((part) => part.hash?.length !== HASH)) throw new Error("a tile of the ledger is too short");
    return fold(parts);
  }
}

/** Whether the log at `newer` still begins with what it was at `older` (both `{size, root}`), by its own tiles. */
export async function isConsistent(older, newer, get) {
  if (newer.size < older.size) return false;
  if (newer.size === older.size) return equal(newer.root, older.root);
  const tiles = new Tiles(newer.size, get);
  return equal(await tiles.root(older.size), older.root) && equal(await tiles.root(newer.size), newer.root);
}
