// The platform under test: where it is, how one signs in, and which pages it has.
import assert from "node:assert/strict";
import { open } from "./browser.mjs";

/** Where the platform listens, with a slash at the end. */
export const BASE = required("ECHO_URL");

/** A link that signs its first user in, once. */
export const SIGN_IN_LINK = required("ECHO_SIGN_IN");

/** Every page of the dashboard. `{id}` stands for the newest thing that the list page links to, `{first}` for the oldest.
 * `signedOut` pages are for strangers alone, `open` ones for everybody. */
export const PAGES = [
  { name: "overview", path: "/" },
  { name: "cases", path: "/cases" },
  { name: "case", path: "/cases/{id}" },
  { name: "devices", path: "/devices" },
  { name: "device", path: "/devices/{id}" },
  { name: "mesh", path: "/mesh" },
  { name: "findings", path: "/findings" },
  { name: "schedule", path: "/schedule" },
  { name: "receipts", path: "/receipts" },
  { name: "invoices", path: "/invoices" },
  { name: "people", path: "/people" },
  { name: "documents", path: "/documents" },
  { name: "document", path: "/documents/constitution" },
  { name: "trust", path: "/trust", open: true },
  { name: "sign-in", path: "/sign-in", signedOut: true },
];

function required(name) {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set: run scripts/test browser, which starts a platform and sets it`);
  }
  return value;
}

/** Signs in by the one-time link and returns the session (cookies and storage) for other pages to use. */
export async function signIn(browser) {
  const { context, page } = await open(browser, { base: BASE });
  await page.goto(SIGN_IN_LINK);
  await page.waitForURL((url) => url.pathname !== "/sign-in");
  const session = await context.storageState();
  await context.close();
  return session;
}

/** The path of a page, with `{id}` or `{first}` replaced by an id on the list page before it (newest first). */
export async function pathOf(page, { path }) {
  const list = path.replace(/\/\{(id|first)\}$/, "");
  if (list === path) return path;
  await page.goto(list);
  const paths = await page
    .locator(`main a[href^="${list}/"]`)
    .evaluateAll((links) => links.map((link) => link.pathname));
  const things = paths.filter((candidate) => candidate.split("/").length === 3);
  const found = path.endsWith("{first}") ? things.at(-1) : things[0];
  assert.ok(found, `${list} links to nothing below it`);
  return found;
}
