// The dashboard as a person meets it: with a mouse, a keyboard, a phone, a dark room or a screen reader.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import axe from "axe-core";
import { launch, open, VIEWPORTS } from "./browser.mjs";
import { BASE, PAGES, pathOf, signIn, SIGN_IN_LINK } from "./platform.mjs";

const RULES = ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"];
const SCHEMES = ["light", "dark"];

let browser;
let session;

before(async () => {
  browser = await launch();
  session = await signIn(browser);
});

after(() => browser?.close());

/** Runs `body` with a page of its own and closes it, whatever happens; then no fault may be left. */
async function visit(options, body) {
  const { context, page, faults } = await open(browser, { base: BASE, session, ...options });
  try {
    await body(page);
    assert.deepEqual(faults, []);
  } finally {
    await context.close();
  }
}

/** What axe finds wrong with the page as it is now, one line a violation. */
async function violations(page) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(
    // Preloading would fetch style sheets again, which the platform's policy need not allow.
    (values) => window.axe.run(document, { preload: false, runOnly: { type: "tag", values } }),
    RULES,
  );
  return found.violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes[0].html} (${nodes.length} in all)`);
}

describe("every page", () => {
  for (const entry of PAGES) {
    for (const viewport of Object.keys(VIEWPORTS)) {
      for (const scheme of SCHEMES) {
        test(`${entry.name} is sound on a ${viewport} in ${scheme}`, () =>
          visit({ viewport, scheme, session: entry.signedOut ? undefined : session }, async (page) => {
            const path = await pathOf(page, entry);
            const response = await page.goto(path);
            assert.equal(response.status(), 200);
            assert.equal(new URL(page.url()).pathname, path, "the page redirects");
            await assertShape(page, response);
            assert.deepEqual(await violations(page), []);
          }));
      }
    }
  }
});

async function assertShape(page, response) {
  const policy = response.headers()["content-security-policy"] ?? "";
  assert.match(policy, /default-src/, "no Content-Security-Policy");
  assert.doesNotMatch(policy, /unsafe-(inline|eval)/, "the policy lets injected code run");
  assert.equal(await page.locator("main#main").count(), 1, "one <main id=main>");
  assert.equal(await page.locator("h1").count(), 1, "one h1");
  assert.ok((await page.locator("nav").count()) >= 1, "a nav");
  assert.notEqual(await page.title(), "");
  await assertFits(page);
}

async function assertFits(page) {
  const { content, room, culprits } = await page.evaluate(() => {
    const room = document.documentElement.clientWidth;
    const wide = [...document.querySelectorAll("main *")].filter(
      (element) => element.children.length === 0 && element.getBoundingClientRect().right > room + 1,
    );
    const content = document.documentElement.scrollWidth;
    return { content, room, culprits: wide.slice(0, 3).map((element) => element.outerHTML.slice(0, 200)) };
  });
  assert.ok(content <= room, `the page scrolls sideways: ${content} px in ${room} px: ${culprits.join("\n")}`);
}

/** Writes into the page what another machine might have told: paths, names and facts that are one long word, and full disks. */
function tellWorse(page) {
  return page.evaluate(() => {
    const word = "/srv/" + "a0b1c2d3e4".repeat(9);
    for (const element of document.querySelectorAll("main :is(code, h1, dd)")) {
      if (element.children.length === 0 && !element.closest(".unseen, pre, .diff")) element.textContent = word;
    }
    for (const cell of document.querySelectorAll("main tbody td.num:not(:has(*))")) {
      cell.insertAdjacentHTML("beforeend", ' <span class="chip warn">nearly full</span>');
    }
  });
}

describe("whatever a machine tells", () => {
  for (const entry of PAGES.filter((page) => !page.signedOut)) {
    for (const viewport of Object.keys(VIEWPORTS)) {
      test(`${entry.name} fits on a ${viewport}`, () =>
        visit({ viewport }, async (page) => {
          await page.goto(await pathOf(page, entry));
          await tellWorse(page);
          await assertFits(page);
        }));
    }
  }
});

describe("with the keyboard alone", () => {
  /** What has the focus, as a person would describe it. */
  const focused = (page) =>
    page.evaluate(() => {
      const element = document.activeElement;
      const box = element.getBoundingClientRect();
      const style = getComputedStyle(element);
      return {
        text: element.textContent.trim(),
        target: element.getAttribute("href"),
        inNav: element.closest("nav") !== null,
        inMain: element.closest("main") !== null,
        visible: box.width > 1 && box.height > 1 && box.top >= 0 && box.left >= 0,
        marked: style.outlineStyle !== "none" || style.boxShadow !== "none",
      };
    });

  test("the first stop is a link that skips to the content", () =>
    visit({}, async (page) => {
      await page.goto("/");
      await page.keyboard.press("Tab");
      const first = await focused(page);
      assert.match(first.text, /skip/i);
      assert.equal(first.target, "#main");
      assert.ok(first.visible, "the skip link can be seen when it has the focus");
      await page.keyboard.press("Enter");
      await page.keyboard.press("Tab");
      const next = await focused(page);
      assert.ok(!next.inNav, `after skipping, the next stop is still in the nav: ${next.text}`);
    }));

  test("the nav comes next, and shows where the focus is", () =>
    visit({}, async (page) => {
      await page.goto("/");
      let stop;
      // The skip link, perhaps the name of the place, then the nav.
      for (let presses = 0; presses < 4 && !stop?.inNav; presses += 1) {
        await page.keyboard.press("Tab");
        stop = await focused(page);
      }
      assert.ok(stop.inNav, `four stops and no nav: ${stop.text}`);
      assert.ok(stop.marked, "the focused link looks like any other");
    }));
});

describe("the work of the house", () => {
  test("a receipt verifies at a click", () =>
    visit({}, async (page) => {
      await page.goto("/receipts");
      await page.locator("[data-verify]").first().click();
      const result = page.locator("[data-verify-result]").filter({ hasText: /verified/i }).first();
      await result.waitFor();
      assert.doesNotMatch(await result.textContent(), /not verified|unverified|failed/i);
    }));

  test("a case shows its timeline, its diff and its proof", () =>
    visit({}, async (page) => {
      await page.goto(await pathOf(page, { path: "/cases/{id}" }));
      await page.getByRole("heading", { name: /timeline/i }).first().waitFor();
      await page.getByRole("heading", { name: /proof/i }).first().waitFor();
      const diff = page.locator(".diff").first();
      await diff.waitFor();
      const text = await diff.innerText();
      assert.match(text, /^\s*\+/m, "the diff adds nothing");
      assert.match(text, /^\s*-/m, "the diff removes nothing");
    }));
});

describe("coming and going", () => {
  test("an invited person gets a link, which is shown once and signs them in", () =>
    visit({}, async (page) => {
      await page.goto("/people");
      await page.getByRole("button", { name: "Invite a person" }).click();
      const form = page.getByRole("dialog", { name: "Invite a person" });
      await form.getByLabel("Name").fill("Ada of the counter");
      await form.getByLabel("Whose person is it?").selectOption({ index: 1 });
      await form.getByRole("button", { name: "Invite" }).click();
      const dialog = page.getByRole("dialog", { name: "Sign-in link for Ada of the counter" });
      await dialog.waitFor();
      assert.deepEqual(await violations(page), []);
      const link = await dialog.locator("pre").textContent();
      await dialog.getByRole("button", { name: "Done" }).click();
      await page.getByRole("rowheader", { name: "Ada of the counter" }).waitFor();
      assert.ok(!(await page.content()).includes(new URL(link).hash.slice(7)), "the secret stays in the page");
      await visit({ session: undefined }, async (hers) => {
        await hers.goto(link);
        await hers.waitForURL((url) => url.pathname === "/");
        await hers.locator(".who").filter({ hasText: "Ada of the counter" }).waitFor();
        assert.equal(await hers.getByRole("link", { name: "People" }).count(), 0);
      });
    }));

  test("a sign-in link works once", () =>
    visit({ session: undefined }, async (page) => {
      // That the server refuses the link is a failed request, which the browser logs: no fault of the page's.
      const { context, page: visitor } = await open(browser, { base: BASE });
      await visitor.goto(SIGN_IN_LINK);
      const alert = visitor.getByRole("alert").filter({ hasText: /\S/ }).first();
      await alert.waitFor();
      assert.equal(new URL(visitor.url()).pathname, "/sign-in");
      const session = await context.storageState();
      await context.close();
      await page.context().addCookies(session.cookies);
      await page.goto("/cases");
      assert.equal(new URL(page.url()).pathname, "/sign-in");
    }));

  test("a stranger is sent to the sign-in page", () =>
    visit({ session: undefined }, async (page) => {
      const closed = PAGES.filter((entry) => !entry.signedOut && !entry.open && !entry.path.includes("{id}"));
      for (const { path } of closed) {
        await page.goto(path);
        assert.equal(new URL(page.url()).pathname, "/sign-in", path);
      }
    }));

  // Last, because it ends the session that the tests above share.
  test("signing out closes the door", () =>
    visit({}, async (page) => {
      await page.goto("/");
      const name = /sign out/i;
      await page.getByRole("button", { name }).or(page.getByRole("link", { name })).first().click();
      await page.waitForURL((url) => url.pathname === "/sign-in");
      await page.context().addCookies(session.cookies);
      await page.goto("/cases");
      assert.equal(new URL(page.url()).pathname, "/sign-in", "the old cookie still opens the door");
    }));
});
