// A node of Echo's mesh for browsers, and for Node.js with a WebRTC of its own. It offers to others; it takes no offers.
export { type Bytes, type Envelope, Refused } from "./envelope.js";
export { type Answered, type Expected, Node, type Papers, type Signed } from "./node.js";
export { Link, type Options, type Stream, STREAMS } from "./link.js";
