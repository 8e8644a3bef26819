// A node of the mesh on node-datachannel: `peer.mjs --key K --manifest M --chain C offer http://HOST:PORT`.
// clients/typescript has to be built: scripts/need mesh-packages.
import nodeDataChannel from "node-datachannel";
import { RTCPeerConnection } from "node-datachannel/polyfill";
import * as mesh from "../../clients/typescript/dist/index.js";
import { atMost, chosen, post, say } from "./command_line.mjs";
import { drive } from "./drive.mjs";

const { url, seconds, task } = chosen();
atMost(seconds);
const signal = (signed) => post(url, signed);
const went = await drive(mesh, task, { say, signal, create: () => new RTCPeerConnection({ iceServers: [] }) });
nodeDataChannel.cleanup();
process.exit(went ? 0 : 1);
