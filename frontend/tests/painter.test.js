import assert from "node:assert/strict";
import { test } from "node:test";

import { Viewport } from "../static/js/editor/geometry.js";
import { flatTone, paintFlat, paintStitches, toDevice } from "../static/js/editor/mask-painter.js";
import { MaskRaster } from "../static/js/editor/mask-raster.js";

function scene(scale, ratio = 1) {
  const mask = new MaskRaster(64, 48);
  mask.stroke({ x: 20, y: 16, radius: 8 }, { x: 44, y: 30, radius: 8 }, false);
  const view = new Viewport(64, 48);
  view.resize(200, 160);
  view.zoomTo(scale, { x: 100, y: 80 });
  const area = { left: 0, top: 0, right: 200 * ratio, bottom: 160 * ratio };
  const pixels = new Uint32Array(area.right * area.bottom);
  return { mask, view, area, pixels, ratio };
}

const TONE = flatTone("#e23428", 0.5);

const alpha = (word) => word >>> 24;

test("every device pixel shows the mask pixel under its centre", () => {
  for (const [scale, ratio] of [[1, 1], [2, 1], [3.7, 2]]) {
    const { mask, view, area, pixels } = scene(scale, ratio);
    paintFlat(mask, view, ratio, area, pixels, TONE);
    for (let y = 0; y < area.bottom; y += 3) {
      for (let x = 0; x < area.right; x += 3) {
        const at = view.toPhoto({ x: (x + 0.5) / ratio, y: (y + 0.5) / ratio });
        const inside = at.x >= 0 && at.y >= 0 && at.x < 64 && at.y < 48;
        const hole = inside && mask.data[Math.floor(at.y) * 64 + Math.floor(at.x)] !== 0;
        assert.equal(alpha(pixels[y * area.right + x]) > 0, hole, `${x}, ${y} at ${scale}`);
      }
    }
  }
});

test("shown smaller, the edge is soft and the inside is one flat tone", () => {
  const { mask, view, area, pixels } = scene(0.5);
  paintFlat(mask, view, 1, area, pixels, TONE);
  const tones = new Set([...pixels].map(alpha));
  assert.ok(tones.has(128) && tones.size > 2 && tones.size <= 5, [...tones].join());
  mask.stroke({ x: 20, y: 16, radius: 8 }, { x: 44, y: 30, radius: 8 }, false);
  const again = new Uint32Array(pixels.length);
  paintFlat(mask, view, 1, area, again, TONE);
  assert.deepEqual(again, pixels);
});

test("stitches run along the edge only, inside the hole, and move", () => {
  const { mask, view, area, pixels } = scene(3);
  paintStitches(mask, view, 1, area, pixels, 0);
  const flat = new Uint32Array(pixels.length);
  paintFlat(mask, view, 1, area, flat, TONE);
  const stitched = pixels.reduce((count, word) => count + (word ? 1 : 0), 0);
  const filled = flat.reduce((count, word) => count + (word ? 1 : 0), 0);
  assert.ok(stitched > 100 && stitched < filled / 3, `${stitched} of ${filled}`);
  for (let i = 0; i < pixels.length; i += 1) if (pixels[i]) assert.ok(flat[i]);
  const middle = view.toStage({ x: 32, y: 23 });
  assert.equal(pixels[Math.round(middle.y) * area.right + Math.round(middle.x)], 0);
  const later = new Uint32Array(pixels.length);
  paintStitches(mask, view, 1, area, later, 0.5);
  assert.notDeepEqual(later, pixels);
});

test("a rectangle of the photo is cut to the stage and grows outwards", () => {
  const { view } = scene(2);
  const inner = toDevice({ left: 10, top: 10, right: 20, bottom: 20 }, view, 2, 1);
  const corner = view.toStage({ x: 10, y: 10 });
  assert.ok(inner.left <= corner.x * 2 - 1 && inner.top <= corner.y * 2 - 1);
  const all = toDevice({ left: -1000, top: -1000, right: 5000, bottom: 5000 }, view, 2);
  assert.deepEqual(all, { left: 0, top: 0, right: 400, bottom: 320 });
});

test("colour and opacity are those that were chosen", () => {
  const tone = flatTone("#102030", 0.25);
  assert.deepEqual(tone.map((word) => word >>> 24), [0, 16, 32, 48, 64]);
  assert.deepEqual([tone[4] & 255, (tone[4] >> 8) & 255, (tone[4] >> 16) & 255], [0x10, 0x20, 0x30]);
});
