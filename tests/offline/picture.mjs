// Takes a picture of the overview of a platform without a network: ECHO_URL and ECHO_SIGN_IN say where, PICTURE whereto.
import { launch, open } from "../browser/browser.mjs";
import { BASE, signIn } from "../browser/platform.mjs";

const browser = await launch();
try {
  const session = await signIn(browser);
  const { context, page, faults } = await open(browser, { base: BASE, viewport: "desktop", session });
  await page.goto("/");
  await page.getByText("no network: working alone").waitFor();
  await page.screenshot({ path: process.env.PICTURE, animations: "disabled" });
  await context.close();
  if (faults.length > 0) throw new Error(faults.join("\n"));
} finally {
  await browser.close();
}
