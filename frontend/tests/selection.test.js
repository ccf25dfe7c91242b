import assert from "node:assert/strict";
import { test } from "node:test";

import { runsAtFullSize, selectByColour } from "../static/js/editor/flood.js";
import { MaskRaster } from "../static/js/editor/mask-raster.js";
import { reduced, tinted } from "../static/js/editor/edge-preview.js";
import { runsWithin, softEdge } from "../static/js/editor/reach.js";
import { fillPolygon, fillRectangle, fillRuns } from "../static/js/editor/shapes.js";

/** Numbers that are the same in every run. */
function* numbers(seed) {
  for (let state = seed; ; ) {
    state = (state * 1664525 + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

/** A photo from letters, each a colour. */
function photo(rows, colours) {
  const width = rows[0].length;
  const rgba = new Uint8ClampedArray(width * rows.length * 4);
  for (const [y, row] of rows.entries()) for (const [x, letter] of [...row].entries()) rgba.set([...colours[letter], 255], (y * width + x) * 4);
  return { rgba, width, height: rows.length };
}

const letters = (selected, width) =>
  Array.from({ length: selected.length / width }, (_, y) => [...selected.subarray(y * width, (y + 1) * width)].map((v) => (v ? "#" : ".")).join(""));

const COLOURS = { a: [100, 100, 100], b: [110, 96, 100], c: [140, 100, 100], d: [100, 100, 111] };

test("the wand takes what is alike in every channel and hangs together by its sides", () => {
  const { rgba, width, height } = photo(["aabca", "acbca", "ccaca", "aadca"], COLOURS);
  const select = (tolerance, contiguous) => letters(selectByColour(rgba, width, height, { x: 0, y: 0 }, tolerance, contiguous), width);
  assert.deepEqual(select(0, true), ["##...", "#....", ".....", "....."]);
  assert.deepEqual(select(10, true), ["###..", "#.#..", "..#..", "....."]);
  assert.deepEqual(select(11, true), ["###..", "#.#..", "..#..", "###.."]);
  assert.deepEqual(select(10, false), ["###.#", "#.#.#", "..#.#", "##..#"]);
  assert.deepEqual(select(255, true), ["#####", "#####", "#####", "#####"]);
  assert.throws(() => selectByColour(rgba, width, height, { x: 5, y: 0 }, 1, true), RangeError);
});

test("the wand finds its way through a maze, as a plain search does", () => {
  const random = numbers(7);
  const [width, height] = [61, 47];
  const rgba = new Uint8ClampedArray(width * height * 4);
  for (let i = 0; i < width * height; i += 1) rgba.fill(random.next().value < 0.7 ? 40 : 200, i * 4, i * 4 + 3);
  // The first row is free, so that the search gets somewhere.
  rgba.fill(40, 0, width * 4);
  const found = selectByColour(rgba, width, height, { x: 0, y: 0 }, 5, true);
  const expected = new Uint8Array(width * height);
  const queue = [[0, 0]];
  expected[0] = 1;
  for (const [x, y] of queue) {
    for (const [nx, ny] of [[x - 1, y], [x + 1, y], [x, y - 1], [x, y + 1]]) {
      const i = ny * width + nx;
      if (nx < 0 || ny < 0 || nx >= width || ny >= height || expected[i] || rgba[i * 4] !== 40) continue;
      expected[i] = 1;
      queue.push([nx, ny]);
    }
  }
  assert.ok(queue.length > 500);
  assert.deepEqual(found, expected);
});

test("a selection made on a smaller picture covers exactly the photo pixels whose centres it holds", () => {
  const random = numbers(3);
  for (const [width, height, photoWidth, photoHeight] of [[13, 9, 13, 9], [13, 9, 40, 31], [16, 12, 50, 37], [7, 5, 70, 50]]) {
    const selected = Uint8Array.from({ length: width * height }, () => (random.next().value < 0.5 ? 1 : 0));
    const mask = new MaskRaster(photoWidth, photoHeight);
    fillRuns(mask, runsAtFullSize(selected, width, height, photoWidth, photoHeight), false);
    for (let y = 0; y < photoHeight; y += 1) {
      for (let x = 0; x < photoWidth; x += 1) {
        const column = Math.floor(((x + 0.5) * width) / photoWidth);
        const row = Math.floor(((y + 0.5) * height) / photoHeight);
        assert.equal(mask.data[y * photoWidth + x] !== 0, selected[row * width + column] === 1, `${x}, ${y} of ${photoWidth}`);
      }
    }
  }
});

test("growing and shrinking go by true distance, to the pixel", () => {
  const random = numbers(11);
  const [width, height] = [53, 41];
  for (const [density, distance] of [[0.01, 1], [0.01, 4], [0.004, 9], [0.5, 2]]) {
    const data = Uint8Array.from({ length: width * height }, () => (random.next().value < density ? 255 : 0));
    for (const inward of [false, true]) {
      const mask = new MaskRaster(width, height);
      mask.replace(data);
      fillRuns(mask, runsWithin(data, width, height, distance, inward), inward);
      for (let y = 0; y < height; y += 1) {
        for (let x = 0; x < width; x += 1) {
          let near = false;
          for (let v = Math.max(0, y - distance); v <= Math.min(height - 1, y + distance); v += 1) {
            for (let u = Math.max(0, x - distance); u <= Math.min(width - 1, x + distance); u += 1) {
              const source = (data[v * width + u] !== 0) !== inward;
              near ||= source && (u - x) ** 2 + (v - y) ** 2 <= distance * distance;
            }
          }
          const expected = inward ? data[y * width + x] !== 0 && !near : near;
          assert.equal(mask.data[y * width + x] !== 0, expected, `${x}, ${y} by ${distance}`);
        }
      }
    }
  }
  assert.throws(() => runsWithin(new Uint8Array(4), 2, 2, 0, false), RangeError);
  assert.throws(() => runsWithin(new Uint8Array(4), 2, 2, 1.5, false), RangeError);
});

test("a rectangle takes the pixels whose centres it holds, whichever corner comes first", () => {
  const one = new MaskRaster(20, 20);
  fillRectangle(one, { x: 2.4, y: 3.6 }, { x: 10.6, y: 8.4 }, false);
  const two = new MaskRaster(20, 20);
  fillRectangle(two, { x: 10.6, y: 8.4 }, { x: 2.4, y: 3.6 }, false);
  assert.deepEqual(one.data, two.data);
  assert.deepEqual(one.measure(), { pixels: 9 * 4, extent: { left: 2, top: 4, right: 11, bottom: 8 } });
  fillRectangle(one, { x: -5, y: -5 }, { x: 50, y: 50 }, true);
  assert.equal(one.measure().pixels, 0);
  fillRectangle(one, { x: -5, y: -5 }, { x: 3, y: 2 }, false);
  assert.equal(one.measure().pixels, 6);
});

test("an outline takes the pixels inside it, crossings included, and is cut at the photo's border", () => {
  const random = numbers(5);
  for (let round = 0; round < 12; round += 1) {
    const points = Array.from({ length: 7 }, () => ({ x: random.next().value * 60 - 10, y: random.next().value * 50 - 10 }));
    const mask = new MaskRaster(40, 30);
    fillPolygon(mask, points, false);
    for (let y = 0; y < 30; y += 1) {
      for (let x = 0; x < 40; x += 1) assert.equal(mask.data[y * 40 + x] !== 0, winding(points, x + 0.5, y + 0.5) !== 0, `${x}, ${y}`);
    }
  }
  const nothing = new MaskRaster(10, 10);
  fillPolygon(nothing, [{ x: 1, y: 1 }, { x: 8, y: 8 }], false);
  assert.equal(nothing.measure().pixels, 0);
});

/** Winding number by the sum of angles, which shares nothing with the scan lines under test. */
function winding(points, x, y) {
  let angle = 0;
  for (const [i, a] of points.entries()) {
    const b = points[(i + 1) % points.length];
    angle += Math.atan2((a.x - x) * (b.y - y) - (a.y - y) * (b.x - x), (a.x - x) * (b.x - x) + (a.y - y) * (b.y - y));
  }
  return Math.round(angle / (2 * Math.PI));
}

test("the soft edge reaches exactly as far as growing does and fades on the way", () => {
  const [width, height, distance] = [60, 50, 14];
  const mask = new MaskRaster(width, height);
  fillRectangle(mask, { x: 20, y: 15 }, { x: 32, y: 30 }, false);
  const strength = softEdge(mask.data, width, height, distance);
  const grown = new MaskRaster(width, height);
  fillRuns(grown, runsWithin(mask.data, width, height, distance, false), false);
  for (let i = 0; i < strength.length; i += 1) assert.equal(strength[i] > 0, grown.data[i] !== 0, `pixel ${i}`);
  const row = [...strength.subarray(22 * width + 32, 22 * width + 32 + distance)];
  assert.equal(row[0], 255);
  assert.ok(row.every((value, i) => i === 0 || value <= row[i - 1]));
  assert.ok(row[distance - 1] < 80);
  const [red, green, blue, alpha] = tinted(Uint8ClampedArray.of(200), "#e23428", 0.5);
  assert.deepEqual([red, green, blue, alpha], [0xe2, 0x34, 0x28, 100]);
});

test("a large mask is looked at in steps, a small one pixel by pixel", () => {
  const mask = new MaskRaster(300, 200);
  fillRectangle(mask, { x: 100, y: 50 }, { x: 200, y: 150 }, false);
  const box = { left: 90, top: 40, right: 210, bottom: 160 };
  const exact = reduced(mask, box);
  assert.deepEqual([exact.width, exact.height, exact.step], [120, 120, 1]);
  assert.equal(exact.data.filter((value) => value !== 0).length, 100 * 100);
  const small = reduced(mask, box, 1000);
  assert.ok(small.width * small.height <= 1000 && small.step > 1);
  const share = small.data.filter((value) => value !== 0).length / small.data.length;
  assert.ok(Math.abs(share - (100 * 100) / (120 * 120)) < 0.06, `${share}`);
});
