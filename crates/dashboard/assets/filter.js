// The filter over a list: hides the rows of this page that lack the words.

function apply() {
  const field = document.querySelector("[data-filter]");
  const table = document.querySelector("[data-filtered]");
  if (!field || !table) return;
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of table.tBodies[0].rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
    if (!row.hidden) shown += 1;
  }
  const none = document.querySelector("[data-filter-none]");
  if (none) none.hidden = shown > 0;
}

export function listen() {
  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-filter]")) apply();
  });
  document.addEventListener("echo:renewed", apply);
}
