// Relative times grow older while a page stays open.
const STEPS = [
  [45, 0, ""],
  [5_400, 60, "minute"],
  [129_600, 3_600, "hour"],
  [Infinity, 86_400, "day"],
];

/** How far `at` is from `now` (both in milliseconds), in the server's words. */
export function relative(at, now) {
  const seconds = Math.floor(now / 1000) - Math.floor(at / 1000);
  const [, unit, name] = STEPS.find(([limit]) => Math.abs(seconds) < limit);
  if (unit === 0) return seconds < -5 ? "in a moment" : "just now";
  const count = Math.floor((Math.abs(seconds) + unit / 2) / unit);
  const text = `${count} ${name}${count === 1 ? "" : "s"}`;
  return seconds < 0 ? `in ${text}` : `${text} ago`;
}

function update() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const text = relative(Date.parse(time.dateTime), Date.now());
    if (time.textContent !== text) time.textContent = text;
  }
}

export function keepTimes() {
  setInterval(update, 30_000);
  document.addEventListener("visibilitychange", update);
}
