// Dialogs: opened by buttons and by the address, closed by Escape, and the question before something costly.
import { copy, forget } from "./fill.js";

/** Asks before something that costs or cannot be undone. Answers whether the person said yes. */
export function confirm(text, verb) {
  const dialog = document.getElementById("confirm");
  dialog.querySelector("[data-confirm-text]").textContent = text;
  dialog.querySelector('[value="yes"]').textContent = verb?.trim() || "Yes";
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

function open(id) {
  const dialog = document.getElementById(id);
  if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
}

/** Closes a dialog, and forgets at once: the event of closing comes in a later task, when the page may be read again. */
function shut(dialog) {
  dialog.close();
  forget(dialog);
}

/** `/devices#enrol` opens the dialog of that name. */
function openFromAddress() {
  const id = location.hash.slice(1);
  if (document.querySelector(`[data-open="${CSS.escape(id)}"]`)) open(id);
}

export function listen() {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener) open(opener.dataset.open);
    const closer = event.target.closest("[data-close]");
    if (closer) shut(closer.closest("dialog"));
    const copier = event.target.closest("[data-copy]");
    if (copier) copy(copier.dataset.copy);
  });
  // The event does not bubble, but it can be caught on its way down.
  document.addEventListener("close", (event) => forget(event.target), true);
  addEventListener("hashchange", openFromAddress);
  openFromAddress();
}
