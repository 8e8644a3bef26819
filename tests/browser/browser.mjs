// One Chromium for a run, and pages in it that remember everything they did wrong.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

/** The two widths that the dashboard is made for, in CSS pixels. */
export const VIEWPORTS = {
  desktop: { width: 1280, height: 800 },
  phone: { width: 390, height: 844 },
};

/** How long anything may take, in milliseconds: a debug build on a busy machine is slow. */
const PATIENCE = 20_000;

// A browser that is not told to sit still looks for its maker's servers at every start.
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts Chromium: the one named by CHROMIUM, or the system's. */
export async function launch() {
  const places = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  const executablePath = places.find((place) => place && existsSync(place));
  if (!executablePath) {
    throw new Error("no Chromium found: install the chromium package, or set CHROMIUM to its path");
  }
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}

/**
 * A page of its own, as a person with this screen and taste would have it.
 *
 * `faults` collects console errors, uncaught exceptions and requests to any host but the platform's.
 */
export async function open(browser, { base, viewport = "desktop", scheme = "light", session } = {}) {
  const context = await browser.newContext({
    baseURL: base,
    viewport: VIEWPORTS[viewport],
    colorScheme: scheme,
    reducedMotion: "reduce",
    storageState: session,
  });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const faults = [];
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`uncaught: ${error.message}`));
  context.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith("http") && url.origin !== new URL(base).origin) {
      faults.push(`request to another host: ${url.href}`);
    }
  });
  return { context, page, faults };
}
