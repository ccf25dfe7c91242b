import assert from "node:assert/strict";
import { test } from "node:test";

import { CurveLog, describe, draw, HEIGHT, MOST_POINTS, shortNumber, splitStage, termName, termsOf, WIDTH } from "../static/js/editor/curves.js";

/** @param {string} path @returns {[number, number][]} every place that a path names */
const places = (path) =>
  [...path.matchAll(/[ML]([\d.-]+) ([\d.-]+)/g)].map((found) => [Number(found[1]), Number(found[2])]);

const logOf = (/** @type {[string, Record<string, number>][]} */ points) => {
  const log = new CurveLog();
  for (const [part, terms] of points) log.add(part, terms);
  return log;
};

test("a stage is told apart from how far it is", () => {
  assert.deepEqual(splitStage("Fine stage, patch 2/9, iteration 3/197"), { part: "Fine stage, patch 2/9", step: "iteration 3 of 197" });
  assert.deepEqual(splitStage("Area 1 of 2: Scale 1/3, looking for matches"), {
    part: "Area 1 of 2: Scale 1/3",
    step: "looking for matches",
  });
  assert.deepEqual(splitStage("Copying patches, scale 9 of 10"), { part: "Copying patches, scale 9 of 10", step: "" });
  assert.deepEqual(splitStage(""), { part: "", step: "" });
});

test("terms have plain names, new ones their own", () => {
  assert.equal(termName("detail"), "Fine texture");
  assert.equal(termName("edge_colour"), "Edge colour");
});

test("what is said twice counts once", () => {
  const log = logOf([["Scale 1/2", { content: 1, texture: 2 }]]);
  assert.equal(log.add("Scale 1/2", { content: 1, texture: 2 }), false);
  assert.equal(log.add("Scale 1/2", { content: 1, texture: 1.9 }), true);
  assert.equal(log.points.length, 2);
});

test("long curves keep their ends and the first point of each part", () => {
  const log = new CurveLog();
  for (let index = 0; index < 5000; index += 1) log.add(`patch ${Math.floor(index / 500)}`, { detail: 5000 - index });
  const values = log.points.map((point) => point.terms.detail);
  assert.ok(values.length <= MOST_POINTS + 1);
  assert.equal(values[0], 5000);
  assert.equal(values.at(-1), 1);
  for (let part = 0; part < 10; part += 1) assert.ok(values.includes(5000 - part * 500), `beginning of part ${part}`);
  assert.deepEqual(log.points.filter((point) => point.begins).length, 10);
});

test("a result's curves come back as points", () => {
  const points = CurveLog.ofNote({ parts: ["Coarse stage", "Fine stage"], part: [0, 0, 1], terms: { global: [4, 2, null], detail: [null, null, 9] } });
  assert.deepEqual(points, [
    { part: "Coarse stage", begins: true, terms: { global: 4 } },
    { part: "Coarse stage", begins: false, terms: { global: 2 } },
    { part: "Fine stage", begins: true, terms: { detail: 9 } },
  ]);
  assert.deepEqual(termsOf(points), ["global", "detail"]);
});

test("lines go down as the loss does, left to right, and break between parts", () => {
  const { points } = logOf([["a", { detail: 10 }], ["a", { detail: 8 }], ["b", { detail: 9 }], ["b", { detail: 5 }]]);
  const { lines, borders, dot, log } = draw(points, "detail");
  assert.equal(log, false);
  const found = places(lines);
  assert.equal(found.length, 4);
  assert.deepEqual(found.map(([x]) => x), found.map(([x]) => x).sort((one, other) => one - other));
  const heights = found.map(([, y]) => y);
  assert.ok(heights[0] < heights[2] && heights[2] < heights[1] && heights[1] < heights[3]);
  assert.equal(lines.match(/M/g)?.length, 2);
  assert.equal(places(borders).length, 1);
  assert.deepEqual(places(dot)[0], found[3]);
  for (const [x, y] of found) assert.ok(x >= 0 && x <= WIDTH && y >= 0 && y <= HEIGHT);
});

test("values that differ much are drawn by their logarithm, and zero does no harm", () => {
  const { points } = logOf([["a", { boundary: 0 }], ["a", { boundary: 1000 }], ["a", { boundary: 100 }], ["a", { boundary: 10 }]]);
  const { lines, log } = draw(points, "boundary");
  assert.equal(log, true);
  const heights = places(lines).map(([, y]) => y);
  assert.ok(Math.abs(heights[2] - heights[1] - (heights[3] - heights[2])) < 0.2, "equal ratios, equal steps");
  assert.ok(heights[0] >= heights[3]);
  for (const same of [0, 7]) {
    const level = draw(logOf([["a", { x: same, y: 1 }], ["a", { x: same, y: 2 }]]).points, "x");
    assert.ok(places(level.lines).every(([, y]) => y === (same ? HEIGHT / 2 : HEIGHT - 3)));
  }
});

test("a term that comes later starts where it comes", () => {
  const { points } = logOf([["a", { global: 3 }], ["b", { detail: 2, global: 1 }]]);
  assert.deepEqual(places(draw(points, "detail").lines).map(([x]) => x), [WIDTH - 3]);
  assert.deepEqual(draw(points, "nothing"), { lines: "", borders: draw(points, "detail").borders, dot: "", log: false });
});

test("numbers are short, and a curve can be told in a sentence", () => {
  assert.equal(shortNumber(0), "0");
  assert.equal(shortNumber(1834), "1.8K");
  assert.equal(shortNumber(0.0321), "0.032");
  assert.equal(shortNumber(0.0000312), "3.1E-5");
  const { points } = logOf([["patch 1/2", { detail: 9000 }], ["patch 2/2", { detail: 5000 }], ["patch 2/2", { detail: 1834 }]]);
  assert.equal(describe(points, "detail"), "Fine texture: from 5K to 1.8K in “patch 2/2”.");
  assert.equal(describe(points.slice(0, 1), "detail"), "Fine texture: 9K at the beginning of “patch 1/2”.");
});
