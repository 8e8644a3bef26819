// Puts the parts of an answer where the page has places for them, and copies text.
import { toast } from "./toast.js";

/** Fills every `[data-fill]` in `place` and shows it; a dialog is opened. */
export function fill(place, answer) {
  const known = { ...answer, origin: location.origin };
  for (const spot of place.querySelectorAll("[data-fill]")) {
    const value = known[spot.dataset.fill] ?? "";
    spot.textContent = spot.dataset.as === "time" ? new Date(value).toLocaleString() : value;
  }
  if (place instanceof HTMLDialogElement) place.showModal();
  else place.hidden = false;
  place.querySelector("[data-copy]")?.focus();
}

/** Empties what was filled into a dialog: a secret that is shown once must not stay in the page. */
export function forget(dialog) {
  for (const spot of dialog.querySelectorAll("[data-fill]")) spot.textContent = "";
  for (const place of dialog.querySelectorAll("[data-once]")) place.hidden = true;
}

/** Copies the text of an element; where the browser forbids that, it selects it for the person to copy. */
export async function copy(id) {
  const source = document.getElementById(id);
  try {
    await navigator.clipboard.writeText(source.textContent);
    toast("Copied.");
  } catch {
    getSelection().selectAllChildren(source);
    toast("Selected. Press Ctrl+C to copy.");
  }
}
