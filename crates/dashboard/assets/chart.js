// The charts of a device, drawn by uPlot from its rolling history.
import { ask } from "./api.js";

const EVERY = 10_000;
const HEIGHT = 150;
const KIB = 1024;
/** Steps between the lines of a chart of bytes: powers of two, so that their labels are round. */
const BINARY = Array.from({ length: 50 }, (_, power) => 2 ** power);

/** A range shorter than this, in seconds, has seconds in its labels: minutes would repeat. */
const SHORT = 600;
/** The least room between two labels of time, in pixels: without seconds, and with them. */
const ROOM = { minutes: 50, seconds: 72 };
/** Steps between the lines of time, in seconds: those that people count in, with more of them than uPlot has. */
const ROUND = [1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 300, 600, 900, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];
/** The room right of a chart, in pixels: half a label of time, which stands around the last line. */
const HALF_LABEL = 30;

/** Seconds since the epoch in this place's time, on 24 hours. */
const toMinute = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const toSecond = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** The labels of points in time (`ticks`, in seconds since the epoch) on a chart over `range` seconds. */
export function clock(ticks, range) {
  const format = range < SHORT || ticks[1] - ticks[0] < 60 ? toSecond : toMinute;
  return ticks.map((tick) => format.format(tick * 1000));
}

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  let size = value;
  while (Math.abs(size) >= KIB && at + 1 < units.length) {
    size /= KIB;
    at += 1;
  }
  return `${size >= 100 || at === 0 ? Math.round(size) : size.toFixed(1)} ${units[at]}`;
}

/** Bytes a second between two points; nothing after a restart, which sets the counters back. */
export function rates(points, field) {
  return points.map((point, at) => {
    if (at === 0) return null;
    const before = points[at - 1];
    const seconds = (Date.parse(point.at) - Date.parse(before.at)) / 1000;
    const grown = point[field] - before[field];
    return seconds > 0 && grown >= 0 ? grown / seconds : null;
  });
}

const CHARTS = {
  cpu: {
    series: ["CPU"],
    values: (points) => [points.map((p) => p.cpu * 100)],
    text: (value) => `${Math.round(value)} %`,
    range: () => [0, 100],
  },
  memory: {
    series: ["In use"],
    values: (points) => [points.map((p) => p.memory_used)],
    text: bytes,
    steps: BINARY,
    range: (most, memory) => [0, memory || most],
  },
  load: {
    series: ["Load"],
    values: (points) => [points.map((p) => p.load_1)],
    text: (value) => value.toFixed(2),
    range: (most) => [0, Math.max(1, most * 1.1)],
  },
  network: {
    series: ["Received", "Sent"],
    values: (points) => [rates(points, "rx_bytes"), rates(points, "tx_bytes")],
    text: (value) => `${bytes(value)}/s`,
    steps: BINARY,
    range: (most) => [0, Math.max(KIB, most * 1.1)],
  },
};

const place = document.querySelector("[data-charts]");
const plots = new Map();
let points = [];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function options(key, width) {
  const chart = CHARTS[key];
  const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  const strokes = [colour("--accent"), colour("--warn")];
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false },
    scales: { y: { range: (_, low, high) => chart.range(high ?? 0, Number(place.dataset.memory)) } },
    padding: [8, HALF_LABEL, 0, 0],
    axes: [
      {
        ...axis,
        size: 28,
        incrs: ROUND,
        space: (_, __, from, to) => (to - from < SHORT ? ROOM.seconds : ROOM.minutes),
        values: ({ scales: { x } }, ticks) => clock(ticks, x.max - x.min),
      },
      {
        ...axis,
        size: 76,
        ...(chart.steps && { incrs: chart.steps }),
        values: (_, ticks) => ticks.map((tick) => chart.text(tick)),
      },
    ],
    series: [
      {},
      ...chart.series.map((label, at) => ({
        label,
        stroke: strokes[at],
        width: 2,
        dash: at === 0 ? undefined : [6, 4],
        points: { show: false },
      })),
    ],
  };
}

/** The newest numbers in words: what a screen reader reads, and tired eyes too. */
function say(figure, chart, values) {
  const parts = chart.series.map((label, at) => {
    const known = values[at].filter((value) => value !== null);
    if (known.length === 0) return "";
    const now = chart.text(known.at(-1));
    if (chart.series.length > 1) return `${label.toLowerCase()} ${now}`;
    return `${now} now, highest ${chart.text(Math.max(...known))}`;
  });
  figure.querySelector("[data-chart-now]").textContent = parts.filter(Boolean).join(", ");
}

function draw() {
  const none = points.length < 2;
  place.hidden = none;
  document.querySelector("[data-charts-none]").hidden = !none;
  if (none) return;
  const times = points.map((point) => Date.parse(point.at) / 1000);
  for (const figure of place.querySelectorAll("[data-chart]")) {
    const key = figure.dataset.chart;
    const values = CHARTS[key].values(points);
    say(figure, CHARTS[key], values);
    const plot = plots.get(key);
    if (plot) {
      plot.setData([times, ...values]);
      continue;
    }
    const spot = figure.querySelector("[data-plot]");
    plots.set(key, new uPlot(options(key, spot.clientWidth), [times, ...values], spot));
  }
}

function drawAgain() {
  for (const plot of plots.values()) plot.destroy();
  plots.clear();
  draw();
}

async function load() {
  if (document.hidden) return;
  try {
    const answer = await (await ask(place.dataset.charts)).json();
    points = answer.items ?? answer;
    draw();
  } catch {
    // The indicator at the top says that the platform is away; the next round tries again.
  }
}

function resize() {
  for (const plot of plots.values()) {
    plot.setSize({ width: plot.root.parentElement.clientWidth, height: HEIGHT });
  }
}

if (place) {
  load();
  setInterval(load, EVERY);
  document.addEventListener("visibilitychange", load);
  document.addEventListener("echo:theme", drawAgain);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAgain);
  new ResizeObserver(resize).observe(place);
}
