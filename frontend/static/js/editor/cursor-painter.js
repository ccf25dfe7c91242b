/** What lies over photo and mask and follows the hand: the brush's ring, outlines under way, the source of a spot. */

/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./geometry.js").Rect} Rect */
/** @typedef {import("./geometry.js").Viewport} Viewport */
/** @typedef {import("./tools/tool.js").Sketch} Sketch */
/** @typedef {{spot: Rect, source: Rect}} Origin both in photo pixels */

const DARK = "rgb(13 16 32 / 85%)";
const LIGHT = "rgb(255 255 255 / 95%)";
const DASHES = [5, 4];
const CORNER = 2.5;
/** CSS pixels of the frame around a source, however small its patch is shown. */
const LEAST_FRAME = 14;

/**
 * @param {CanvasRenderingContext2D} ctx in CSS pixels
 * @param {Viewport} viewport
 * @param {{at: Point, radius: number, erase: boolean}} ring place on the stage, radius in photo pixels
 */
export function drawRing(ctx, viewport, { at, radius, erase }) {
  const reach = Math.max(1.5, radius * viewport.scale);
  circle(ctx, at, reach, LIGHT, 1.5);
  circle(ctx, at, Math.max(0.5, reach - 1.5), DARK, 1.5);
  if (!erase) return;
  ctx.beginPath();
  ctx.moveTo(at.x - 4, at.y);
  ctx.lineTo(at.x + 4, at.y);
  stroke(ctx, DARK, 3.5);
  stroke(ctx, LIGHT, 1.5);
}

/**
 * @param {CanvasRenderingContext2D} ctx in CSS pixels
 * @param {Viewport} viewport
 * @param {Sketch} sketch
 */
export function drawSketch(ctx, viewport, { points, closed, erase, width }) {
  const places = points.map((point) => viewport.toStage(point));
  const first = places[0];
  if (!first) return;
  ctx.save();
  ctx.lineJoin = "round";
  ctx.lineCap = "round";
  ctx.beginPath();
  ctx.moveTo(first.x, first.y);
  for (const { x, y } of places.slice(1)) ctx.lineTo(x, y);
  if (places.length === 1) ctx.lineTo(first.x + 0.01, first.y);
  if (closed) ctx.closePath();
  if (width > 0) {
    stroke(ctx, "rgb(163 176 255 / 62%)", Math.max(3, width * viewport.scale));
  } else {
    stroke(ctx, DARK, 3);
    ctx.setLineDash(DASHES);
    stroke(ctx, erase ? "rgb(255 214 120)" : LIGHT, 1.5);
  }
  ctx.restore();
  if (width === 0 && !closed) {
    ctx.beginPath();
    ctx.arc(first.x, first.y, CORNER + 1.5, 0, Math.PI * 2);
    ctx.fillStyle = LIGHT;
    ctx.fill();
    stroke(ctx, DARK, 1.5);
  }
}

/**
 * A spot of the filled hole, the place it was taken from, and the thread between them.
 *
 * @param {CanvasRenderingContext2D} ctx in CSS pixels
 * @param {Viewport} viewport
 * @param {Origin} origin
 */
export function drawOrigin(ctx, viewport, { spot, source }) {
  const from = onStage(viewport, source);
  const to = onStage(viewport, spot);
  ctx.beginPath();
  ctx.moveTo((from.left + from.right) / 2, (from.top + from.bottom) / 2);
  ctx.lineTo((to.left + to.right) / 2, (to.top + to.bottom) / 2);
  stroke(ctx, DARK, 3);
  ctx.setLineDash(DASHES);
  stroke(ctx, LIGHT, 1.5);
  ctx.setLineDash([]);
  for (const [box, colour] of /** @type {[Rect, string][]} */ ([[to, LIGHT], [from, "rgb(255 138 124)"]])) {
    ctx.beginPath();
    ctx.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
    stroke(ctx, DARK, 4);
    stroke(ctx, colour, 2);
  }
}

/**
 * @param {Viewport} viewport
 * @param {Rect} rect
 * @returns {Rect} at least so large that it can be seen
 */
function onStage(viewport, rect) {
  const a = viewport.toStage({ x: rect.left, y: rect.top });
  const b = viewport.toStage({ x: rect.right, y: rect.bottom });
  const more = Math.max(0, (LEAST_FRAME - (b.x - a.x)) / 2);
  return { left: a.x - more, top: a.y - more, right: b.x + more, bottom: b.y + more };
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {string} colour
 * @param {number} width
 */
function stroke(ctx, colour, width) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = width;
  ctx.stroke();
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {Point} at
 * @param {number} radius
 * @param {string} colour
 * @param {number} width
 */
function circle(ctx, at, radius, colour, width) {
  ctx.beginPath();
  ctx.arc(at.x, at.y, radius, 0, Math.PI * 2);
  stroke(ctx, colour, width);
}
