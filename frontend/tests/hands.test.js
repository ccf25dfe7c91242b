import assert from "node:assert/strict";
import { test } from "node:test";

import { ariaKey, keyCaps, keymap, keyName } from "../static/js/editor/actions.js";
import { PointerInput } from "../static/js/editor/pointers.js";

function stage({ pans = false, locked = false } = {}) {
  const log = [];
  const state = { pans, locked };
  const input = new PointerInput({
    pans: () => state.pans,
    locked: () => state.locked,
    down: (sample) => log.push(["down", sample.point.x, sample.erase]),
    move: (samples) => log.push(["move", ...samples.map((sample) => sample.point.x)]),
    up: () => log.push(["up"]),
    cancel: () => log.push(["cancel"]),
    pan: (dx, dy) => log.push(["pan", dx, dy]),
    zoom: (factor, at) => log.push(["zoom", factor, at.x, at.y]),
    hover: () => undefined,
    dragging: () => undefined,
  });
  return { input, log, state };
}

const pointer = (changes = {}) => ({
  pointerId: 1,
  pointerType: "mouse",
  button: 0,
  buttons: 1,
  ctrlKey: false,
  metaKey: false,
  pressure: 0.5,
  ...changes,
});
const finger = (pointerId) => pointer({ pointerId, pointerType: "touch" });
const at = (x, y = 0) => ({ x, y });
const move = (input, event, ...points) => input.move(event, points.map((point) => ({ event, point })));

test("a drag paints with every point the hardware saw", () => {
  const { input, log } = stage();
  input.down(pointer(), at(5));
  move(input, pointer(), at(7), at(9), at(12));
  input.up(pointer());
  assert.deepEqual(log, [["down", 5, false], ["move", 7, 9, 12], ["up"]]);
});

test("the other button, Ctrl and the pen's far end erase", () => {
  for (const event of [pointer({ button: 2, buttons: 2 }), pointer({ ctrlKey: true }), pointer({ pointerType: "pen", button: 5, buttons: 32 })]) {
    const { input, log } = stage();
    input.down(event, at(5));
    assert.deepEqual(log, [["down", 5, true]]);
  }
});

test("a pen's pressure counts, a mouse's does not", () => {
  const seen = [];
  for (const event of [pointer({ pressure: 0.5 }), pointer({ pointerType: "pen", pressure: 0.3 })]) {
    const { input } = stage();
    input.hands.down = (sample) => seen.push(sample.pressure);
    input.down(event, at(1));
  }
  assert.deepEqual(seen, [1, 0.3]);
});

test("the middle button pans, and so does the main one with the hand or while a fill runs", () => {
  for (const [options, event] of [[{}, pointer({ button: 1 })], [{ pans: true }, pointer()], [{ locked: true }, pointer()]]) {
    const { input, log } = stage(options);
    input.down(event, at(10, 10));
    move(input, event, at(13, 6));
    input.up(event);
    assert.deepEqual(log, [["pan", 3, -4]]);
  }
});

test("one finger paints", () => {
  const { input, log } = stage();
  input.down(finger(1), at(5));
  move(input, finger(1), at(9));
  input.up(finger(1));
  assert.deepEqual(log, [["down", 5, false], ["move", 9], ["up"]]);
});

test("a second finger takes the stroke back; both together pan and zoom", () => {
  const { input, log } = stage();
  input.down(finger(1), at(100, 100));
  input.down(finger(2), at(200, 100));
  move(input, finger(2), at(300, 100));
  assert.deepEqual(log, [["down", 100, false], ["cancel"], ["pan", 50, 0], ["zoom", 2, 200, 100]]);
});

test("the finger that stays after a pinch does not paint", () => {
  const { input, log } = stage();
  input.down(finger(1), at(100));
  input.down(finger(2), at(200));
  input.up(finger(2));
  log.length = 0;
  move(input, finger(1), at(150));
  input.up(finger(1));
  assert.deepEqual(log, []);
  input.down(finger(3), at(10));
  assert.deepEqual(log, [["down", 10, false]]);
});

test("the hand that holds the pen does not disturb its stroke", () => {
  const pen = pointer({ pointerId: 7, pointerType: "pen" });
  const { input, log } = stage();
  input.down(pen, at(5));
  assert.equal(input.down(finger(1), at(80)), false);
  assert.equal(input.down(finger(2), at(90)), false);
  move(input, finger(1), at(81));
  move(input, pen, at(9));
  input.up(finger(1));
  input.up(pen);
  assert.deepEqual(log, [["down", 5, false], ["move", 9], ["up"]]);
});

test("a pen takes over from the hand that came first", () => {
  const pen = pointer({ pointerId: 7, pointerType: "pen" });
  const { input, log } = stage();
  input.down(finger(1), at(80));
  assert.equal(input.down(pen, at(5)), true);
  move(input, finger(1), at(82));
  move(input, pen, at(6));
  input.up(pen);
  input.up(finger(1));
  assert.deepEqual(log, [["down", 80, false], ["cancel"], ["down", 5, false], ["move", 6], ["up"]]);
});

test("a stroke that the system takes away is cancelled", () => {
  const { input, log } = stage();
  input.down(pointer(), at(5));
  input.cancel(pointer());
  assert.deepEqual(log.at(-1), ["cancel"]);
});

test("another button during a stroke does not end it", () => {
  const { input, log } = stage();
  input.down(pointer(), at(5));
  assert.equal(input.down(pointer({ pointerId: 9, button: 2 }), at(50)), false);
  input.up(pointer({ pointerId: 9 }));
  move(input, pointer(), at(8));
  input.up(pointer());
  assert.deepEqual(log, [["down", 5, false], ["move", 8], ["up"]]);
});

const press = (key, changes = {}) => keyName({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...changes });

test("keys are named the same on every system and layout", () => {
  assert.equal(press("b"), "B");
  assert.equal(press("Z", { ctrlKey: true, shiftKey: true }), "Mod+Shift+Z");
  assert.equal(press("z", { metaKey: true }), "Mod+Z");
  assert.equal(press("?", { shiftKey: true }), "?");
  assert.equal(press("+", { shiftKey: true }), "+");
  assert.equal(press("Enter", { ctrlKey: true }), "Mod+Enter");
  assert.equal(press("I", { shiftKey: true }), "Shift+I");
});

test("two actions with the same key are refused", () => {
  const action = (id, ...keys) => ({ id, keys, label: id, icon: id, group: "x", run: () => undefined });
  assert.equal(keymap([action("a", "A"), action("b", "Mod+B")]).get("Mod+B").id, "b");
  assert.throws(() => keymap([action("a", "A"), action("b", "A")]), /wanted by “a” and by “b”/);
});

test("keys are shown as they are engraved", () => {
  assert.deepEqual(keyCaps("Mod+Shift+Z", false), ["Ctrl", "Shift", "Z"]);
  assert.deepEqual(keyCaps("Mod+Shift+Z", true), ["⌘", "⇧", "Z"]);
  assert.deepEqual(keyCaps("+", false), ["+"]);
  assert.equal(ariaKey("Mod+Enter"), "Control+Enter");
});
