import assert from "node:assert/strict";
import { test } from "node:test";

import { counted, duration, fileSize, groupDigits, timeAgo, timeLeft } from "../static/js/lib/format.js";
import { errorFrom } from "../static/js/lib/http.js";
import { timeWords, triedUnasked } from "../static/js/editor/try-all.js";
import { downloadUrl, proofSentence } from "../static/js/editor/result-view.js";

test("numbers are grouped by spaces that do not break", () => {
  assert.equal(groupDigits(11873204), "11\u202f873\u202f204");
  assert.equal(groupDigits(999), "999");
  assert.equal(counted(1, "version", "versions"), "1 version");
  assert.equal(counted(1200, "version", "versions"), "1\u202f200 versions");
});

test("sizes and times are short", () => {
  assert.equal(fileSize(900), "900 bytes");
  assert.equal(fileSize(52428800), "50 MB");
  assert.equal(fileSize(1536), "1.5 kB");
  assert.equal(duration(0.416), "0.42 s");
  assert.equal(duration(125.2), "2 min 05 s");
  assert.equal(timeLeft(0.4), "about a second left");
  assert.equal(timeLeft(33), "about 35 seconds left");
  assert.equal(timeLeft(200), "about 3 minutes left");
});

test("times past are told as people would", () => {
  const now = new Date("2026-05-10T12:00:00Z");
  assert.equal(timeAgo("2026-05-10T11:59:40Z", now), "just now");
  assert.equal(timeAgo("2026-05-10T11:40:00Z", now), "20 minutes ago");
  assert.equal(timeAgo("2026-05-09T12:00:00Z", now), "yesterday");
  assert.match(timeAgo("2026-01-02T12:00:00Z", now), /2026/);
});

test("a refusal's own sentence is shown; otherwise one that fits the status", () => {
  const refusal = errorFrom(413, '{"code": "too_large", "message": "This photo has 180 megapixels; up to 100 are taken."}');
  assert.equal(refusal.message, "This photo has 180 megapixels; up to 100 are taken.");
  assert.equal(refusal.code, "too_large");
  assert.equal(errorFrom(413, "<html>nginx</html>").message, "That file is too large for this studio.");
  assert.match(errorFrom(500, "").message, /error 500/);
});

test("the proof says what was measured, good or bad", () => {
  assert.deepEqual(proofSentence({ known_pixels: 11873204, changed_pixels: 0 }), {
    text: "All 11\u202f873\u202f204 pixels outside the mask are unchanged.",
    whole: true,
  });
  assert.equal(proofSentence({ known_pixels: 5000, changed_pixels: 3 }).whole, false);
  assert.equal(proofSentence({}), null);
});

test("downloads name their form", () => {
  assert.equal(downloadUrl("/files/versions/1/download", "png"), "/files/versions/1/download?as=png");
  assert.equal(downloadUrl("/d?x=1", "original"), "/d?x=1&as=original");
});

test("what a model takes is told from the last time, or from its kind", () => {
  const models = ["instant", "fast", "slow"].map((cost) => ({ key: cost, cost }));
  assert.deepEqual(models.map(triedUnasked), [true, true, false]);
  const versions = [
    { model: "fast", timings: { queue_wait: 40, compute: 3 } },
    { model: "fast", timings: { queue_wait: 2, compute: 6, paste: 1 } },
  ];
  assert.deepEqual(models.map((model) => timeWords(model, versions)), [
    "Usually a second or two",
    "7.0 s the last time on this photo",
    "Usually minutes, hours for large holes",
  ]);
});
