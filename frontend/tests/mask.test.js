import assert from "node:assert/strict";
import { test } from "node:test";

import { isEmpty } from "../static/js/editor/geometry.js";
import { HOLE, MaskRaster } from "../static/js/editor/mask-raster.js";
import { Brush } from "../static/js/editor/tools/brush.js";
import { TILE, UndoStack } from "../static/js/editor/undo.js";

const dab = (x, y, radius) => ({ x, y, radius });

/** What a stroke must cover, worked out pixel by pixel without any of the raster's shortcuts. */
function expected(width, height, a, b) {
  const data = new Uint8Array(width * height);
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const px = x + 0.5 - a.x;
      const py = y + 0.5 - a.y;
      const length = dx * dx + dy * dy;
      const t = length ? Math.min(1, Math.max(0, (px * dx + py * dy) / length)) : 0;
      const radius = a.radius + (b.radius - a.radius) * t;
      if ((px - t * dx) ** 2 + (py - t * dy) ** 2 <= radius ** 2) data[y * width + x] = HOLE;
    }
  }
  return data;
}

test("a stroke covers the pixels whose centre lies within the brush's path", () => {
  for (const [a, b] of [
    [dab(20, 30, 9), dab(20, 30, 9)],
    [dab(5, 5, 4), dab(110, 70, 4)],
    [dab(110.3, 12.8, 6.5), dab(2.2, 60.1, 6.5)],
    [dab(-20, 40, 10), dab(150, 40, 10)],
  ]) {
    const mask = new MaskRaster(120, 80);
    mask.stroke(a, b, false);
    assert.deepEqual(mask.data, expected(120, 80, a, b), JSON.stringify([a, b]));
  }
});

test("a stroke of changing width is as wide as the pen pressed at each end", () => {
  const mask = new MaskRaster(200, 60);
  mask.stroke(dab(20, 30, 3), dab(180, 30, 15), false);
  const height = (x) => [...Array(60).keys()].filter((y) => mask.data[y * 200 + x]).length;
  assert.equal(height(20), 6);
  assert.equal(height(179), 30);
  assert.ok(height(60) < height(100) && height(100) < height(140));
});

test("the smallest brush still marks the pixel it is on", () => {
  const mask = new MaskRaster(10, 10);
  mask.stroke(dab(4.9, 4.9, 0.5), dab(4.9, 4.9, 0.5), false);
  assert.equal(mask.data[4 * 10 + 4], HOLE);
});

test("what a stroke reports as dirty holds every changed pixel", () => {
  const mask = new MaskRaster(300, 200);
  const dirty = mask.stroke(dab(40, 20, 12), dab(250, 150, 5), false);
  for (let i = 0; i < mask.data.length; i += 1) {
    if (!mask.data[i]) continue;
    const x = i % 300;
    const y = Math.floor(i / 300);
    assert.ok(x >= dirty.left && x < dirty.right && y >= dirty.top && y < dirty.bottom, `${x}, ${y}`);
  }
});

test("painting over twice changes nothing, erasing takes away", () => {
  const mask = new MaskRaster(100, 100);
  mask.stroke(dab(50, 50, 20), dab(60, 50, 20), false);
  const once = mask.measure().pixels;
  mask.stroke(dab(50, 50, 20), dab(60, 50, 20), false);
  assert.equal(mask.measure().pixels, once);
  mask.stroke(dab(50, 50, 10), dab(50, 50, 10), true);
  assert.ok(mask.measure().pixels < once);
  assert.ok(mask.data.every((value) => value === 0 || value === HOLE));
});

test("a stroke beside the photo touches nothing", () => {
  const mask = new MaskRaster(50, 50);
  assert.ok(isEmpty(mask.stroke(dab(-40, -40, 10), dab(-30, -60, 10), false)));
  assert.equal(mask.measure().pixels, 0);
});

test("measuring gives the exact count and the tightest rectangle", () => {
  const mask = new MaskRaster(64, 64);
  mask.replace(Uint8Array.from({ length: 4096 }, (_, i) => (i % 64 >= 10 && i % 64 < 13 && i >= 64 * 7 && i < 64 * 9 ? 255 : 0)));
  assert.deepEqual(mask.measure(), { pixels: 6, extent: { left: 10, top: 7, right: 13, bottom: 9 } });
});

test("values of 128 and more are hole, as on the server", () => {
  const mask = new MaskRaster(4, 1);
  mask.replace(Uint8Array.of(0, 127, 128, 255));
  assert.deepEqual([...mask.data], [0, 0, HOLE, HOLE]);
});

test("a mask of another size is refused", () => {
  assert.throws(() => new MaskRaster(4, 4).replace(new Uint8Array(15)), /15 pixels, the photo 16/);
});

test("inverting twice gives the mask back, clearing empties it", () => {
  const mask = new MaskRaster(90, 40);
  mask.stroke(dab(30, 20, 11), dab(60, 25, 11), false);
  const before = mask.data.slice();
  mask.invert();
  assert.equal(mask.measure().pixels, 90 * 40 - before.filter(Boolean).length);
  mask.invert();
  assert.deepEqual(mask.data, before);
  mask.clear();
  assert.equal(mask.measure().pixels, 0);
});

function painted() {
  const mask = new MaskRaster(500, 300);
  const undo = new UndoStack(mask);
  const states = [mask.data.slice()];
  const step = (label, change) => {
    undo.begin(label);
    change();
    undo.commit();
    states.push(mask.data.slice());
  };
  step("first", () => mask.stroke(dab(30, 30, 20), dab(400, 200, 20), false));
  step("second", () => mask.stroke(dab(200, 10, 30), dab(200, 290, 30), false));
  step("erase", () => mask.stroke(dab(100, 60, 25), dab(300, 160, 25), true));
  step("invert", () => mask.invert());
  step("clear", () => mask.clear());
  return { mask, undo, states };
}

test("undo and redo go through every state exactly", () => {
  const { mask, undo, states } = painted();
  for (let i = states.length - 2; i >= 0; i -= 1) {
    undo.undo();
    assert.deepEqual(mask.data, states[i], `back to state ${i}`);
  }
  assert.equal(undo.canUndo, false);
  assert.ok(isEmpty(undo.undo()));
  for (let i = 1; i < states.length; i += 1) {
    undo.redo();
    assert.deepEqual(mask.data, states[i], `on to state ${i}`);
    assert.equal(mask.measure().pixels, states[i].filter(Boolean).length);
  }
});

test("a new step after undo ends the way forward", () => {
  const { mask, undo } = painted();
  undo.undo();
  undo.begin("other");
  mask.stroke(dab(250, 150, 40), dab(250, 150, 40), true);
  undo.commit();
  assert.equal(undo.canRedo, false);
});

test("a step that changed nothing is not kept", () => {
  const mask = new MaskRaster(100, 100);
  const undo = new UndoStack(mask);
  undo.begin("nothing");
  mask.stroke(dab(50, 50, 20), dab(50, 50, 20), true);
  undo.commit();
  assert.equal(undo.canUndo, false);
});

test("an abandoned stroke leaves the mask as it was", () => {
  const { mask, undo, states } = painted();
  const before = mask.data.slice();
  undo.begin("cut short");
  mask.stroke(dab(10, 10, 9), dab(480, 290, 9), false);
  undo.abandon();
  assert.deepEqual(mask.data, before);
  assert.equal(undo.done.length, states.length - 1);
});

test("undo keeps tiles, not copies, and its memory is bounded", () => {
  const mask = new MaskRaster(4000, 3000);
  const undo = new UndoStack(mask, 64 * 1024);
  undo.begin("dot");
  mask.stroke(dab(TILE * 3 + 20, TILE * 3 + 20, 8), dab(TILE * 3 + 20, TILE * 3 + 20, 8), false);
  undo.commit();
  assert.equal(undo.done[0].tiles.size, 1);
  for (let i = 0; i < 200; i += 1) {
    undo.begin("stroke");
    mask.stroke(dab(100 + i * 15, 200, 30), dab(100 + i * 15, 2800, 30), i % 2 === 0);
    undo.commit();
  }
  assert.ok(undo.bytes <= 64 * 1024, `${undo.bytes} bytes`);
  assert.ok(undo.canUndo);
});

test("the eraser is the brush the other way round, and erasing with it paints", () => {
  const mask = new MaskRaster(60, 60);
  const brush = new Brush("brush", "stroke", false);
  const eraser = new Brush("eraser", "erasing", true);
  const at = { x: 30, y: 30, radius: 10 };
  brush.down(mask, { ...at, erase: false });
  brush.up();
  const full = mask.measure().pixels;
  eraser.down(mask, { ...at, radius: 5, erase: false });
  eraser.move(mask, [{ x: 34, y: 30, radius: 5, erase: false }]);
  eraser.up();
  assert.ok(mask.measure().pixels < full);
  brush.down(mask, { ...at, radius: 20, erase: true });
  brush.up();
  assert.equal(mask.measure().pixels, 0);
  eraser.down(mask, { ...at, erase: true });
  assert.equal(mask.measure().pixels, full);
});

test("a stroke is what a round brush covers on its way, while its size changes too", () => {
  const strokes = [
    [{ x: 12.3, y: 14.8, radius: 6 }, { x: 44.1, y: 31.2, radius: 6 }],
    [{ x: 50, y: 8, radius: 3 }, { x: 20, y: 40, radius: 9 }],
    [{ x: 30, y: 25, radius: 12 }, { x: 34, y: 27, radius: 4 }],
    [{ x: 5, y: 5, radius: 0.4 }, { x: 25, y: 5, radius: 0.4 }],
  ];
  for (const [a, b] of strokes) {
    const mask = new MaskRaster(64, 48);
    mask.stroke(a, b, false);
    for (let y = 0; y < 48; y += 1) {
      for (let x = 0; x < 64; x += 1) {
        let nearest = Infinity;
        for (let t = 0; t <= 1; t += 1 / 2048) {
          const radius = Math.max(0.71, a.radius + (b.radius - a.radius) * t);
          nearest = Math.min(nearest, Math.hypot(x + 0.5 - a.x - (b.x - a.x) * t, y + 0.5 - a.y - (b.y - a.y) * t) - radius);
        }
        // Pixels whose centre lies on the very edge may go either way.
        if (Math.abs(nearest) > 0.01) assert.equal(mask.data[y * 64 + x] !== 0, nearest < 0, `${x}, ${y}: ${nearest}`);
      }
    }
  }
});

test("the count and the extent stay right through every kind of change, as a plain count says", () => {
  const random = (() => {
    let state = 11;
    return () => (state = (state * 1664525 + 1013904223) >>> 0) / 2 ** 32;
  })();
  // Rows that begin at whole words, and rows that do not; more than one tile.
  for (const [width, height] of [[61, 47], [76, 70]]) checkCounts(width, height, random);
});

function checkCounts(width, height, random) {
  const mask = new MaskRaster(width, height);
  const undo = new UndoStack(mask);
  /** Masks as they were before each step that can be undone. */
  const before = [];
  const plain = () => {
    const box = { left: width, top: height, right: 0, bottom: 0 };
    let pixels = 0;
    for (const [i, value] of mask.data.entries()) {
      if (value !== HOLE) {
        assert.equal(value, 0);
        continue;
      }
      pixels += 1;
      const [x, y] = [i % width, Math.floor(i / width)];
      box.left = Math.min(box.left, x);
      box.right = Math.max(box.right, x + 1);
      box.top = Math.min(box.top, y);
      box.bottom = Math.max(box.bottom, y + 1);
    }
    return { pixels, extent: pixels ? box : { left: 0, top: 0, right: 0, bottom: 0 } };
  };
  const dab = () => ({ x: random() * (width + 9) - 4, y: random() * (height + 9) - 4, radius: random() * 9 });
  const changes = [
    () => mask.stroke(dab(), dab(), false),
    () => mask.stroke(dab(), dab(), false),
    () => mask.stroke(dab(), dab(), true),
    () => mask.invert(),
    () => mask.clear(),
    () => mask.replace(Uint8Array.from({ length: width * height }, () => (random() < 0.01 ? 200 : 40))),
  ];
  for (let round = 0; round < 400; round += 1) {
    const change = changes[Math.floor(random() * changes.length)];
    const was = mask.data.slice();
    if (random() < 0.25 && before.length > 0) {
      undo.undo();
      assert.deepEqual(mask.data, before.at(-1), `undone in round ${round}`);
      undo.redo();
      assert.deepEqual(mask.data, was, `done again in round ${round}`);
      if (random() < 0.5) {
        undo.undo();
        before.pop();
      }
    } else {
      undo.begin("change");
      change();
      undo.commit();
      if (undo.done.length > before.length) before.push(was);
    }
    // Not after every change: what came in between must be counted too.
    if (random() < 0.6) assert.deepEqual(mask.measure(), plain(), `round ${round}`);
  }
}
