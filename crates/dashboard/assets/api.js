// Calls of the JSON API with the page's own cookie.
import { leave, refresh } from "./session.js";

/** What the API refused, in its own words. */
export class Refused extends Error {}

/** A fresh idempotency key (UUID, version 4), also where `randomUUID` is missing: on plain http. */
export function key() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Fetches, and once more with a new access token when the old one has run out. */
export async function ask(url, options = {}) {
  const began = Date.now();
  let response = await send(url, options);
  if (response.status === 401) {
    if (!(await refresh(began))) {
      leave();
      throw new Refused("You are signed out. Sign in again.");
    }
    response = await send(url, options);
  }
  if (response.ok) return response;
  throw new Refused(await why(response));
}

async function send(url, options) {
  try {
    return await fetch(url, options);
  } catch {
    throw new Refused("The platform cannot be reached. Check the connection and try again.");
  }
}

async function why(response) {
  try {
    const problem = await response.json();
    return problem.detail ?? problem.title ?? `The platform answered ${response.status}.`;
  } catch {
    return `The platform answered ${response.status}. Try again.`;
  }
}

/** Posts `body` under `idempotencyKey`; trying again with the same key never does it twice. */
export async function post(url, body, idempotencyKey) {
  const response = await ask(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": idempotencyKey },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return text === "" ? null : JSON.parse(text);
}
