// Forms that call the API: `data-post` says where, the field names say what. `data-and-then` names a second call,
// which takes the first one's answer; sent again after a failure, the first one's effect is not had twice.
import { key, post } from "./api.js";
import { confirm } from "./dialog.js";
import { fill } from "./fill.js";
import { renew } from "./live.js";
import { toast } from "./toast.js";

/** The fields of a form as JSON: a dot in a name makes an object, an empty field is left out. */
export function bodyOf(form) {
  const body = {};
  for (const [name, value] of new FormData(form)) {
    if (value === "") continue;
    const path = name.split(".");
    let place = body;
    for (const part of path.slice(0, -1)) place = place[part] ??= {};
    place[path.at(-1)] = valueOf(form.elements[name], value);
  }
  if (form.hasAttribute("data-intake")) body.answers ??= {};
  return body;
}

function valueOf(field, value) {
  const currency = field.dataset?.money;
  return currency ? { minor: minor(value, Number(field.dataset.places)), currency } : value;
}

/** Minor units of an amount such as `12.50`, without going through floating point. */
export function minor(text, places) {
  const match = /^(\d{1,13})(?:[.,](\d*))?$/.exec(text.trim());
  const fraction = match?.[2] ?? "";
  if (!match || fraction.length > places) {
    throw new Error(`Write the amount with at most ${places} decimal places, such as 12.50.`);
  }
  return Number(match[1] + fraction.padEnd(places, "0"));
}

/** `/cases/{case.id}` with the parts of an answer put in. */
function place(pattern, answer) {
  return pattern.replace(/\{([\w.]+)\}/g, (_, path) => {
    const value = path.split(".").reduce((at, part) => at?.[part], answer);
    return encodeURIComponent(value ?? "");
  });
}

async function submit(form, button) {
  const problem = form.querySelector("[data-problem]");
  problem.textContent = "";
  if (form.getAttribute("aria-busy") === "true") return;
  if (form.dataset.confirm && !(await confirm(form.dataset.confirm, button?.textContent))) return;
  busy(form, button, true);
  try {
    const body = bodyOf(form);
    // The same form sent again after a failure keeps its key, so that nothing is done twice.
    const print = JSON.stringify(body);
    if (form.dataset.sent !== print) form.dataset.key = key();
    form.dataset.sent = print;
    let answer = await post(form.dataset.post, body, form.dataset.key);
    const next = form.dataset.andThen;
    if (next) answer = { ...answer, ...(await post(place(next, answer), {}, key())) };
    delete form.dataset.sent;
    await after(form, answer);
  } catch (error) {
    problem.textContent = error.message;
    toast(error.message, "bad");
  } finally {
    busy(form, button, false);
  }
}

function busy(form, button, on) {
  form.setAttribute("aria-busy", String(on));
  if (button) button.disabled = on;
}

async function after(form, answer) {
  const then = form.dataset.then ?? "";
  const done = form.dataset.done || "Done.";
  if (form.hasAttribute("data-clear")) form.reset();
  if (then.startsWith("/")) {
    toast(done);
    location.assign(place(then, answer));
    return;
  }
  if (then.startsWith("show:")) {
    const shown = document.getElementById(then.slice(5));
    if (!form.parentElement.contains(shown)) form.closest("dialog")?.close();
    fill(shown, { name: form.dataset.name, ...answer });
  } else {
    form.closest("dialog")?.close();
  }
  // Last, or a dialog that opens would lie over it.
  toast(done);
  await renew();
}

export function listen() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-post]")) return;
    event.preventDefault();
    submit(form, event.submitter);
  });
}
