/** The worker behind `heavy.js`: what would hold up the page's own thread on a large photo. */

import { runsAtFullSize, selectByColour } from "./flood.js";
import { runsWithin, softEdge } from "./reach.js";

/** @typedef {import("./heavy.js").Order} Order */

/** The photo on show; the wand is often used several times on one. @type {{key: string, image: ImageData} | null} */
let photo = null;

self.addEventListener("message", (/** @type {MessageEvent<{id: number, order: Order}>} */ { data: { id, order } }) => {
  try {
    const found = carryOut(order);
    self.postMessage({ id, found }, { transfer: [found.buffer] });
  } catch (error) {
    self.postMessage({ id, problem: error instanceof Error ? error.message : String(error) });
  }
});

/**
 * @param {Order} order
 * @returns {Int32Array | Uint8ClampedArray}
 */
function carryOut(order) {
  if (order.kind === "edge") return softEdge(order.data, order.width, order.height, order.distance);
  if (order.kind === "within") return runsWithin(order.data, order.width, order.height, order.distance, order.inward);
  if (order.bitmap) photo = { key: order.key, image: pixelsOf(order.bitmap) };
  if (!photo || photo.key !== order.key) throw new Error("The photo for this selection is missing.");
  const { width, height, data } = photo.image;
  const seed = {
    x: Math.min(width - 1, Math.floor((order.x * width) / order.photoWidth)),
    y: Math.min(height - 1, Math.floor((order.y * height) / order.photoHeight)),
  };
  const selected = selectByColour(data, width, height, seed, order.tolerance, order.contiguous);
  return runsAtFullSize(selected, width, height, order.photoWidth, order.photoHeight);
}

/**
 * @param {ImageBitmap} bitmap is closed
 * @returns {ImageData}
 */
function pixelsOf(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("This browser cannot read the photo's pixels.");
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}
