// The small pure parts of the pages' scripts.
import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.document = { querySelector: () => null, querySelectorAll: () => [], getElementById: () => null, documentElement: { dataset: {} } };
const { minor } = await import("../../assets/action.js");
const { key } = await import("../../assets/api.js");
const { clock, rates } = await import("../../assets/chart.js");
const { concerns } = await import("../../assets/live.js");
const { secretIn } = await import("../../assets/sign-in.js");
const { relative } = await import("../../assets/time.js");

test("amounts become minor units without floating point", () => {
  assert.equal(minor("12.50", 2), 1250);
  assert.equal(minor("0.1", 2), 10);
  assert.equal(minor("1205", 0), 1205);
  assert.equal(minor("4,35", 2), 435);
  assert.equal(minor("9999999999999.99", 2), 999999999999999);
  for (const [text, places] of [["12.505", 2], ["1.5", 0], ["-1", 2], ["", 2], ["1e3", 2], ["1 000", 2]]) {
    assert.throws(() => minor(text, places), /decimal places/, text);
  }
});

test("an idempotency key is a UUID, with randomUUID or without", () => {
  const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  assert.match(key(), uuid);
  const { randomUUID } = crypto;
  crypto.randomUUID = undefined;
  assert.match(key(), uuid);
  assert.notEqual(key(), key());
  crypto.randomUUID = randomUUID;
});

test("a counter that was set back gives no rate", () => {
  const at = (second, rx) => ({ at: new Date(second * 1000).toISOString(), rx });
  assert.deepEqual(rates([at(0, 10), at(10, 110), at(20, 5), at(20, 6)], "rx"), [null, 10, null, null]);
});

test("labels of time never repeat on a short range, and have no seconds on a long one", () => {
  const ticks = (step) => Array.from({ length: 7 }, (_, at) => 1_800_000_000 + at * step);
  for (const [step, range] of [[10, 70], [15, 105], [60, 500], [30, 700]]) {
    const labels = clock(ticks(step), range);
    assert.equal(new Set(labels).size, 7, labels.join(" "));
    for (const label of labels) assert.match(label, /^\d\d:\d\d:\d\d$/);
  }
  for (const label of clock(ticks(600), 7200)) assert.match(label, /^\d\d:\d\d$/);
});

test("an event concerns the regions that show it", () => {
  const event = { topic: "case", id: "case_1" };
  for (const topics of ["*", "case:*", "device:x case:case_1"]) assert.ok(concerns(topics, event), topics);
  for (const topics of ["device:*", "case:case_2", "case"]) assert.ok(!concerns(topics, event), topics);
});

test("a link and a bare token give the same secret", () => {
  for (const text of ["http://h/sign-in#token=tok_1.ab", "#token=tok_1.ab", "tok_1.ab", " tok_1.ab "]) {
    assert.equal(secretIn(text).trim(), "tok_1.ab", text);
  }
});

test("times read as the server says them", () => {
  const ago = (seconds) => relative(1_000_000_000 - seconds * 1000, 1_000_000_000);
  assert.deepEqual([ago(3), ago(60), ago(7200), ago(-14 * 86400)], ["just now", "1 minute ago", "2 hours ago", "in 14 days"]);
});
