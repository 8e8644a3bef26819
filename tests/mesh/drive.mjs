// What a peer does that speaks through clients/typescript: connects, greets, waits for a greeting, and sends large things
// there and back. Runs in Node.js and in a browser.

/**
 * `say` takes what is to be printed, `signal` a signed offer to the other node, `create` makes the connection where the
 * runtime has none. Resolves with whether all went well.
 */
export async function drive({ Link, Node, Refused }, { papers, to, token, bulk, stay }, { say, signal, create }) {
  let greeted;
  const greeting = new Promise((resolve) => {
    greeted = resolve;
  });
  let back = 0;
  let moved = () => {};
  const message = (stream, data) => {
    if (typeof data !== "string") {
      if (stream !== "bulk") return say({ stream, bytes: data.length });
      back += 1;
      return moved();
    }
    const read = JSON.parse(data);
    say({ stream, message: read });
    return stream === "control" && read.kind === "hello" ? greeted() : undefined;
  };
  try {
    const node = await Node.of(papers);
    say({ node: node.did });
    const link = await Link.connect(node, { signal, message, to, token, create });
    say({ answered_by: link.node, name: link.name });
    for (const open of ["control", "rpc", "telemetry", "bulk"]) say({ open });
    await greeting;
    if (bulk > 0) {
      const all = new Promise((resolve) => {
        moved = () => back === bulk && resolve();
      });
      const piece = new Uint8Array(16 * 1024);
      for (let sent = 0; sent < bulk; sent += 1) await link.send("bulk", piece);
      await all;
      say({ bulk, bytes: bulk * piece.length });
    }
    await new Promise((resolve) => {
      setTimeout(resolve, stay * 1000);
    });
    link.close();
    return true;
  } catch (error) {
    say({ failed: error instanceof Refused ? error.message : String(error?.stack ?? error) });
    return false;
  }
}
