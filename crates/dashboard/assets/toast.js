// A short message at the edge of the screen, read out by screen readers.
const STAYS = 6000;

/** Shows `text`; `tone` is `good` or `bad`. */
export function toast(text, tone = "good") {
  const place = document.getElementById("toasts");
  const item = document.createElement("p");
  item.className = `toast ${tone}`;
  item.textContent = text;
  place.append(item);
  raise(place);
  setTimeout(() => item.remove(), STAYS);
}

/** Lifts the messages over an open dialog, where the browser can. */
function raise(place) {
  if (!place.showPopover) return;
  place.popover = "manual";
  if (place.matches(":popover-open")) place.hidePopover();
  place.showPopover();
}
