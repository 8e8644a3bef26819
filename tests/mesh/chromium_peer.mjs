// A node of the mesh in Chromium: `chromium_peer.mjs --key K --manifest M --chain C offer http://HOST:PORT`.
// Offers go by Node.js: a node's own listener answers no pages of other origins.
import { readFileSync } from "node:fs";
import { launch } from "../browser/browser.mjs";
import { atMost, chosen, post, say } from "./command_line.mjs";

// Keys are for pages of secure origins only. Nothing of this name is looked up: every request is answered here.
const ORIGIN = "https://mesh.invalid/";
const FOLDERS = { "client/": "../../clients/typescript/dist/", "": "./" };

const { url, seconds, task } = chosen();
atMost(seconds);
const browser = await launch();
try {
  const page = await browser.newPage();
  page.on("pageerror", (error) => say({ failed: error.message }));
  await page.route(`${ORIGIN}**`, (route) => {
    const path = route.request().url().slice(ORIGIN.length);
    if (path === "") return route.fulfill({ contentType: "text/html", body: "<!doctype html><title>A node</title>" });
    const folder = Object.keys(FOLDERS).find((prefix) => path.startsWith(prefix));
    const file = new URL(FOLDERS[folder] + path.slice(folder.length), import.meta.url);
    return route.fulfill({ contentType: "text/javascript", body: readFileSync(file) });
  });
  await page.exposeFunction("say", say);
  await page.exposeFunction("signal", (signed) => post(url, signed));
  await page.goto(ORIGIN);
  const went = await page.evaluate(async (given) => {
    const [mesh, { drive }] = await Promise.all([import("/client/index.js"), import("/drive.mjs")]);
    return drive(mesh, given, { say: globalThis.say, signal: globalThis.signal });
  }, task);
  process.exitCode = went ? 0 : 1;
} finally {
  await browser.close();
}
