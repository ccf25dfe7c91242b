import assert from "node:assert/strict";
import { test } from "node:test";

import {
  clamp,
  intersect,
  isEmpty,
  MAX_SCALE,
  sizeToSlider,
  sliderToSize,
  union,
  Viewport,
} from "../static/js/editor/geometry.js";

const near = (actual, expected, message) => assert.ok(Math.abs(actual - expected) < 1e-6, `${message}: ${actual} is not ${expected}`);

function viewport(photo = [4000, 3000], stage = [800, 500]) {
  const view = new Viewport(...photo);
  view.resize(...stage);
  return view;
}

test("a union with nothing is the other rectangle, and sharing nothing is empty", () => {
  const a = { left: 2, top: 3, right: 8, bottom: 9 };
  const nothing = { left: 5, top: 5, right: 5, bottom: 9 };
  assert.deepEqual(union(a, nothing), a);
  assert.deepEqual(union(a, { left: 0, top: 4, right: 3, bottom: 20 }), { left: 0, top: 3, right: 8, bottom: 20 });
  assert.ok(isEmpty(intersect(a, { left: 8, top: 0, right: 20, bottom: 20 })));
});

test("the whole photo is seen and centred after fitting", () => {
  const view = viewport();
  const first = view.toStage({ x: 0, y: 0 });
  const last = view.toStage({ x: 4000, y: 3000 });
  assert.ok(first.x >= 0 && first.y >= 0 && last.x <= 800 && last.y <= 500);
  near(first.x + last.x, 800, "left and right margin");
  near(first.y + last.y, 500, "top and bottom margin");
});

test("a photo smaller than the stage is blown up only when it is too small to work on", () => {
  assert.equal(viewport([400, 300]).scale, 1);
  assert.equal(viewport([64, 48]).scale, 5);
  assert.equal(viewport([3, 2]).scale, MAX_SCALE);
  near(viewport([64, 48], [100, 90]).scale, (100 / 64) * 0.97, "on a small stage");
});

test("zooming keeps the photo point under the pointer", () => {
  const view = viewport();
  const at = { x: 350, y: 210 };
  const before = view.toPhoto(at);
  for (const factor of [1.7, 3, 0.6]) {
    view.zoomBy(factor, at);
    const after = view.toPhoto(at);
    near(after.x, before.x, "x");
    near(after.y, before.y, "y");
  }
});

test("zoom stays between a quarter of the fitted size and 32 times", () => {
  const view = viewport();
  view.zoomTo(1000);
  assert.equal(view.scale, MAX_SCALE);
  view.zoomTo(0);
  assert.equal(view.scale, view.minScale);
});

test("a photo can never be pushed off the stage altogether", () => {
  const view = viewport();
  for (const [dx, dy] of [[1e6, 1e6], [-1e6, -1e6], [1e6, -1e6]]) {
    view.pan(dx, dy);
    assert.ok(!isEmpty(view.visible()), `after a pan by ${dx}, ${dy}`);
  }
});

test("a fitted photo follows a new stage size, a zoomed one keeps its scale and middle", () => {
  const view = viewport();
  view.resize(400, 700);
  near(view.scale, view.fitScale, "fitted scale");
  view.zoomTo(2);
  const middle = view.toPhoto({ x: 200, y: 350 });
  view.resize(1000, 300);
  assert.equal(view.scale, 2);
  const after = view.toPhoto({ x: 500, y: 150 });
  near(after.x, middle.x, "x");
  near(after.y, middle.y, "y");
});

test("what is visible is cut to the photo and in whole pixels", () => {
  const view = viewport();
  assert.deepEqual(view.visible(), { left: 0, top: 0, right: 4000, bottom: 3000 });
  view.zoomTo(10, { x: 400, y: 250 });
  const seen = view.visible();
  assert.ok(Object.values(seen).every(Number.isInteger));
  assert.ok(seen.right - seen.left <= 82 && seen.bottom - seen.top <= 52);
});

test("the size slider covers 1 to 600 and finds back to what it showed", () => {
  assert.equal(sliderToSize(0, 600), 1);
  assert.equal(sliderToSize(100, 600), 600);
  assert.equal(sliderToSize(-20, 600), 1);
  for (const size of [1, 2, 17, 40, 333, 600]) assert.equal(sliderToSize(sizeToSlider(size, 600), 600), size);
  assert.equal(clamp(7, 1, 5), 5);
});
