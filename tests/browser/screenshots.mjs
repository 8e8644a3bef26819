// Takes a picture of every page: node screenshots.mjs FOLDER
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { launch, open, VIEWPORTS } from "./browser.mjs";
import { BASE, PAGES, pathOf, signIn } from "./platform.mjs";

/** Beside the newest case, which waits for a decision, the oldest, which is proven and paid. */
const PICTURES = [...PAGES, { name: "case-proven", path: "/cases/{first}" }];

/** Pages that are shown in the dark too. */
const DARK_TOO = ["overview", "case"];

/** A longer page is cut here, in CSS pixels: a picture is for looking at, not for scrolling. */
const MAX_HEIGHT = 1600;

const folder = process.argv[2];
if (!folder) throw new Error("usage: node screenshots.mjs FOLDER");
await mkdir(folder, { recursive: true });

const browser = await launch();
try {
  const session = await signIn(browser);
  for (const entry of PICTURES) {
    const schemes = DARK_TOO.includes(entry.name) ? ["light", "dark"] : ["light"];
    for (const viewport of Object.keys(VIEWPORTS)) {
      for (const scheme of schemes) {
        await take(entry, viewport, scheme, entry.signedOut ? undefined : session);
      }
    }
  }
} finally {
  await browser.close();
}

async function take(entry, viewport, scheme, session) {
  const { context, page } = await open(browser, { base: BASE, viewport, scheme, session });
  await page.goto(await pathOf(page, entry));
  // What the page's script draws comes a moment later: charts, times, what is live.
  await page.waitForTimeout(800);
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  const { width } = VIEWPORTS[viewport];
  const path = join(folder, `${entry.name}-${viewport}-${scheme}.png`);
  const clip = { x: 0, y: 0, width, height: Math.min(height, MAX_HEIGHT) };
  await page.screenshot({ path, clip, fullPage: true, animations: "disabled" });
  await context.close();
  console.log(path);
}
