// The Verify buttons: fetch a document, check it here, and show each step.
import { ask } from "./api.js";
import { canVerify } from "./bytes.js";
import { verifyDocument } from "./verify.js";

const fetcher = {
  text: async (path) => (await ask(path, { cache: "no-store" })).text(),
  bytes: async (path) => new Uint8Array(await (await ask(path)).arrayBuffer()),
};

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function show(place, outcome) {
  const last = outcome.steps.at(-1);
  const head = outcome.ok
    ? element("p", "Verified: signed, and in the ledger.", "verdict good")
    : element("p", `Not verified: ${last.name.toLowerCase()}: ${last.detail}`, "verdict bad");
  const details = document.createElement("details");
  details.append(element("summary", "The steps"));
  const list = document.createElement("ol");
  for (const { name, ok, detail } of outcome.steps) {
    const item = element("li", "", ok ? "good" : "bad");
    item.append(element("strong", `${ok ? "✓" : "✗"} ${name}`), ` ${detail}`);
    list.append(item);
  }
  details.append(list);
  place.replaceChildren(head, details);
}

async function verify(kind, id) {
  if (!canVerify) {
    const detail = "this browser checks signatures on https and on localhost only. Use echo_cli verify with a case file";
    return { ok: false, steps: [{ name: "Browser", ok: false, detail }] };
  }
  try {
    const path = id.split("/").map(encodeURIComponent).join("/");
    const view = JSON.parse(await fetcher.text(`/v1/documents/${kind}/${path}`));
    return await verifyDocument(view, { kind, id }, fetcher);
  } catch (error) {
    return { ok: false, steps: [{ name: "Document", ok: false, detail: error.message }] };
  }
}

export function listen() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-verify]");
    if (!button || button.getAttribute("aria-busy") === "true") return;
    const place = document.getElementById(button.getAttribute("aria-describedby"));
    button.setAttribute("aria-busy", "true");
    place.replaceChildren(element("p", "Checking…"));
    show(place, await verify(button.dataset.kind, button.dataset.id));
    button.setAttribute("aria-busy", "false");
  });
}
