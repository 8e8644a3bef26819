// Follows the platform's events, and fetches the page's live regions again when one concerns them.
//
// A region has an id and `data-live` with what it shows: `case:case_...`, `case:*`, or `*` for everything.
import { leave } from "./session.js";

const SETTLE = 250;
let waiting;
let running = Promise.resolve();

const regions = (within) => within.querySelectorAll("[data-live][id]");

/** Whether a region that shows `topics` is concerned by an event. */
export function concerns(topics, event) {
  return topics.split(/\s+/).some((one) => one === "*" || one === `${event.topic}:*` || one === `${event.topic}:${event.id}`);
}

/** The HTML of a region without what changes by itself: the words of relative times. */
const print = (region) => region.outerHTML.replace(/(<time[^>]*>)[^<]*/g, "$1");
const prints = new Map();

/** Fetches this page again and replaces the regions that changed. One at a time; a caller may wait for it. */
export function renew() {
  running = running.then(replace, replace);
  return running;
}

async function replace() {
  const response = await fetch(location.pathname + location.search, { headers: { Accept: "text/html" } });
  if (new URL(response.url).pathname === "/sign-in") return leave();
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const scroll = [scrollX, scrollY];
  for (const old of regions(document)) {
    const fresh = page.getElementById(old.id);
    if (!fresh) {
      old.remove();
      continue;
    }
    const now = print(fresh);
    if (prints.get(old.id) === now || isInUse(old)) continue;
    prints.set(old.id, now);
    swap(old, fresh);
  }
  for (const fresh of regions(page)) {
    if (!document.getElementById(fresh.id)) return location.reload();
  }
  scrollTo(...scroll);
  document.dispatchEvent(new Event("echo:renewed"));
}

/** Somebody writes in it, or waits for its answer: it is left alone until the next event. */
function isInUse(region) {
  const active = document.activeElement;
  const typing = region.contains(active) && active.matches("input, textarea, select");
  const answering = region.querySelector("dialog[open]") !== null;
  return typing || answering || region.querySelector('[data-verify][aria-busy="true"]') !== null;
}

/** Puts a fresh region in the place of an old one, and keeps what the person did: opened, focused, verified. */
function swap(old, fresh) {
  const region = document.importNode(fresh, true);
  for (const details of old.querySelectorAll("details[id]")) {
    const same = region.querySelector(`#${CSS.escape(details.id)}`);
    if (same) same.open = details.open;
  }
  for (const result of old.querySelectorAll("[data-verify-result]")) {
    const same = region.querySelector(`#${CSS.escape(result.id)}`);
    if (same && result.hasChildNodes()) same.replaceChildren(...result.childNodes);
  }
  const focus = focusPath(old);
  old.replaceWith(region);
  if (focus) focusAgain(region, focus);
}

function focusPath(region) {
  const active = document.activeElement;
  if (!region.contains(active)) return null;
  const all = [...region.querySelectorAll("a, button, input, summary, [tabindex]")];
  return { id: active.id, text: active.textContent, index: all.indexOf(active) };
}

function focusAgain(region, { id, text, index }) {
  const all = [...region.querySelectorAll("a, button, input, summary, [tabindex]")];
  const target = (id && document.getElementById(id)) || all.find((e) => e.textContent === text) || all[index];
  target?.focus({ preventScroll: true });
}

function say(state) {
  for (const sign of document.querySelectorAll("[data-live-state]")) {
    const words = { on: "live", waiting: "reconnecting" };
    if (sign.dataset.liveState === state && sign.textContent === words[state]) continue;
    sign.dataset.liveState = state;
    sign.textContent = words[state];
  }
}

/** Renews a page that shows what no event tells of, such as a round trip, every `data-renew` seconds while it is seen. */
export function pace() {
  const seconds = Number(document.querySelector("[data-renew]")?.dataset.renew);
  // That the platform is away, the sign in the frame says.
  const again = () => document.hidden || renew().catch(() => undefined);
  if (seconds > 0) setInterval(again, seconds * 1000);
}

/** Opens the stream of events and keeps it open. */
export function follow() {
  for (const region of regions(document)) prints.set(region.id, print(region));
  const source = new EventSource("/v1/events");
  let missed = false;
  source.onopen = () => {
    say("on");
    if (missed) renew();
    missed = false;
  };
  source.onerror = () => {
    say("waiting");
    missed = true;
    // The browser gives up for good when the answer was an error, such as a session that ran out.
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, 10_000);
  };
  source.onmessage = ({ data }) => {
    const event = JSON.parse(data);
    document.dispatchEvent(new CustomEvent("echo:event", { detail: event }));
    const mine = [...regions(document)].some((region) => concerns(region.dataset.live, event));
    if (!mine) return;
    clearTimeout(waiting);
    waiting = setTimeout(renew, SETTLE);
  };
}
