// The filter over a page's lists: hides the rows that lack the words.

function apply() {
  const field = document.querySelector("[data-filter]");
  if (!field) return;
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const table of document.querySelectorAll("[data-filtered]")) filter(table, words);
}

function filter(table, words) {
  let shown = 0;
  for (const row of table.tBodies[0].rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
    if (!row.hidden) shown += 1;
  }
  const none = table.parentElement.querySelector("[data-filter-none]");
  if (none) none.hidden = shown > 0;
}

export function listen() {
  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-filter]")) apply();
  });
  document.addEventListener("echo:renewed", apply);
}
