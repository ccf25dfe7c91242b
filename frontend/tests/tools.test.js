import assert from "node:assert/strict";
import { test } from "node:test";

import { editorActions } from "../static/js/editor/action-list.js";
import { keymap } from "../static/js/editor/actions.js";
import { MaskRaster } from "../static/js/editor/mask-raster.js";
import { originOf } from "../static/js/editor/origins.js";
import { Brush } from "../static/js/editor/tools/brush.js";
import { Lasso } from "../static/js/editor/tools/lasso.js";
import { ObjectStroke } from "../static/js/editor/tools/object.js";
import { PAN } from "../static/js/editor/tools/pan.js";
import { Rectangle } from "../static/js/editor/tools/rectangle.js";
import { Wand } from "../static/js/editor/tools/wand.js";
import { places } from "../static/js/editor/version-tree.js";

const dab = (x, y, changes = {}) => ({ x, y, radius: 3, erase: false, slack: 2, ...changes });
const click = (tool, mask, x, y, changes) => {
  tool.down(mask, dab(x, y, changes));
  return tool.up(mask);
};
const pixels = (mask) => mask.measure().pixels;

test("every tool leaves the mask alone until it is told to change it, and forgets a cancelled gesture", () => {
  const tools = [new Brush("brush", "stroke", false), new Rectangle(), new Lasso(), new Wand(() => undefined), new ObjectStroke(() => undefined), PAN];
  for (const tool of tools) {
    const mask = new MaskRaster(40, 40);
    tool.down(mask, dab(5, 5));
    tool.cancel();
    const before = pixels(mask);
    assert.equal(tool.sketch?.() ?? null, null, tool.id);
    assert.equal(tool.pending?.() ?? false, false, tool.id);
    assert.ok(tool.id === "brush" || before === 0, tool.id);
  }
});

test("a drag with the lasso closes by itself", () => {
  const mask = new MaskRaster(40, 40);
  const lasso = new Lasso();
  lasso.down(mask, dab(10, 10));
  lasso.move(mask, [dab(30, 10), dab(30, 30), dab(10, 30)]);
  assert.equal(lasso.sketch().points.length, 4);
  lasso.up(mask);
  assert.equal(pixels(mask), 400);
  assert.equal(lasso.pending(), false);
});

test("clicks with the lasso make corners; a click on the first one closes", () => {
  const mask = new MaskRaster(40, 40);
  const lasso = new Lasso();
  for (const [x, y] of [[10, 10], [30, 10], [30, 30], [10, 30]]) click(lasso, mask, x, y);
  assert.equal(pixels(mask), 0);
  assert.ok(lasso.pending());
  lasso.hover(dab(20, 39));
  assert.deepEqual(lasso.sketch().points.at(-1), { x: 20, y: 39 });
  click(lasso, mask, 11, 11);
  assert.equal(pixels(mask), 400);
  assert.equal(lasso.sketch(), null);
});

test("a double click closes, a corner can be taken back, and Ctrl at the first corner takes away", () => {
  const mask = new MaskRaster(40, 40);
  mask.replace(new Uint8Array(1600).fill(255));
  const lasso = new Lasso();
  click(lasso, mask, 10, 10, { erase: true });
  for (const [x, y] of [[30, 10], [30, 30], [35, 35]]) click(lasso, mask, x, y);
  lasso.stepBack();
  click(lasso, mask, 10, 30);
  click(lasso, mask, 10, 30);
  assert.equal(pixels(mask), 1200);
  click(lasso, mask, 1, 1);
  lasso.stepBack();
  assert.equal(lasso.pending(), false);
});

test("the rectangle shows its outline and fills it when the hand is lifted", () => {
  const mask = new MaskRaster(40, 40);
  const tool = new Rectangle();
  tool.down(mask, dab(5, 6));
  tool.move(mask, [dab(8, 8), dab(15, 16)]);
  assert.deepEqual(tool.sketch().points.map(({ x, y }) => [x, y]), [[5, 6], [15, 6], [15, 16], [5, 16]]);
  assert.equal(pixels(mask), 0);
  tool.up(mask);
  assert.equal(pixels(mask), 100);
});

test("wand and object selection hand over what was pointed at and never paint", () => {
  const mask = new MaskRaster(40, 40);
  const seen = [];
  click(new Wand((at) => seen.push([at.x, at.y, at.erase])), mask, 7, 9, { erase: true });
  assert.deepEqual(seen, [[7, 9, true]]);
  const strokes = [];
  const object = new ObjectStroke((stroke) => strokes.push(stroke.length));
  object.down(mask, dab(1, 1));
  object.move(mask, [dab(2, 2), dab(3, 3)]);
  object.up(mask);
  assert.deepEqual(strokes, [3]);
  assert.equal(object.sketch().width, 6);
  assert.equal(pixels(mask), 0);
});

const ACTIONS = editorActions(
  { hand: {}, work: { abilities: [] }, origins: {}, compare: {}, run: {}, arrivals: {} },
  { help: () => undefined, importMask: () => undefined, fullScreen: () => undefined, isFullScreen: () => false },
);

test("no two of the editor's actions want the same key or the same name, and each can be found", () => {
  assert.doesNotThrow(() => keymap(ACTIONS));
  assert.equal(new Set(ACTIONS.map(({ id }) => id)).size, ACTIONS.length);
  for (const action of ACTIONS) {
    assert.ok(action.keys.length > 0 && action.label && action.icon && action.group, action.id);
    for (const key of action.keys) assert.ok(!["Mod+W", "Mod+T", "Mod+N", "Mod+R", "Mod+L"].includes(key), key);
  }
  const keys = keymap(ACTIONS);
  const expected = { B: "tool-brush", E: "tool-eraser", R: "tool-rectangle", L: "tool-lasso", W: "tool-wand", H: "tool-pan", "Mod+Enter": "fill", "Shift+X": "cancel", "Shift+I": "invert", "Shift+C": "clear", "Mod+S": "download", "Mod+Y": "redo", "[": "smaller", "?": "help" };
  for (const [key, id] of Object.entries(expected)) assert.equal(keys.get(key)?.id, id, key);
  assert.throws(() => keymap([...ACTIONS, { ...ACTIONS[0], id: "another" }]), /wanted by/);
});

const version = (id, parent) => ({ id, parent });
const shown = (versions) => places(versions).map(({ version: { id }, number, lane, branchOf }) => `${id}${number}/${lane}${branchOf === null ? "" : `<${branchOf}`}`);

test("versions that follow each other make one line", () => {
  assert.deepEqual(shown([version("a", null), version("b", "a"), version("c", "b")]), ["a1/0", "b2/0", "c3/0"]);
});

test("a second child begins a branch after the line it leaves", () => {
  const versions = [version("a", null), version("b", "a"), version("c", "b"), version("d", "a"), version("e", "d"), version("f", "b")];
  assert.deepEqual(shown(versions), ["a1/0", "b2/0", "c3/0", "d4/1<1", "e5/1", "f6/2<2"]);
});

test("a version whose parent is gone begins a line, and a long line is no trouble", () => {
  assert.deepEqual(shown([version("a", null), version("b", "gone")]), ["a1/0", "b2/1"]);
  const many = Array.from({ length: 30_000 }, (_, i) => version(`v${i}`, i ? `v${i - 1}` : null));
  assert.equal(places(many).length, 30_000);
});

test("the source of a spot is read as the server writes it", () => {
  const map = { url: "", box: [100, 50, 140, 70], width: 20, height: 10, patch: 6 };
  const offsets = new Int16Array(400).fill(-32768);
  offsets[3 * 20 + 5] = -2;
  offsets[(10 + 3) * 20 + 5] = 7;
  const origin = originOf(map, offsets, { x: 111.9, y: 56.2 });
  assert.deepEqual(origin, {
    spot: { left: 108, top: 54, right: 114, bottom: 60 },
    source: { left: 122, top: 50, right: 128, bottom: 56 },
  });
  assert.equal(originOf(map, offsets, { x: 113, y: 56 }), null);
  assert.equal(originOf(map, offsets, { x: 140, y: 56 }), null);
});
