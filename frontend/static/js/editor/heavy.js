/** Heavy work on rasters, done in a worker so that the page stays fluent. */

/** @typedef {import("./geometry.js").Rect} Rect */
/** @typedef {import("./mask-raster.js").MaskRaster} MaskRaster */
/**
 * @typedef {{kind: "within", data: Uint8Array, width: number, height: number, distance: number, inward: boolean}} Within
 * @typedef {{kind: "colour", key: string, bitmap: ImageBitmap | null, x: number, y: number, photoWidth: number,
 *   photoHeight: number, tolerance: number, contiguous: boolean}} Colour x and y are photo pixels
 * @typedef {{kind: "edge", data: Uint8Array, width: number, height: number, distance: number}} Edge
 * @typedef {Within | Colour | Edge} Order
 * @typedef {{resolve: (found: any) => void, reject: (error: Error) => void}} Waiting
 */

export class Heavy {
  /** @param {string} url of the worker's module */
  constructor(url) {
    this.url = url;
    /** @type {Worker | null} */
    this.worker = null;
    /** @type {Map<number, Waiting>} */
    this.waiting = new Map();
    this.last = 0;
    /** Which photo the worker has. @type {string | null} */
    this.photo = null;
  }

  /**
   * @param {string} key of the photo, such as its version's id
   * @param {ImageBitmap} bitmap what is on show, perhaps smaller than the photo
   * @param {{x: number, y: number, photoWidth: number, photoHeight: number, tolerance: number, contiguous: boolean}} what
   * @returns {Promise<Int32Array>} runs in photo pixels
   */
  async selectByColour(key, bitmap, what) {
    const copy = this.photo === key ? null : await createImageBitmap(bitmap);
    this.photo = key;
    return this.#ask({ kind: "colour", key, bitmap: copy, ...what }, copy ? [copy] : []);
  }

  /**
   * @param {MaskRaster} mask
   * @param {Rect} box the part to look at
   * @param {number} distance
   * @param {boolean} inward
   * @returns {Promise<Int32Array>} runs in pixels of the box
   */
  within(mask, box, distance, inward) {
    const width = box.right - box.left;
    const height = box.bottom - box.top;
    const data = new Uint8Array(width * height);
    for (let y = 0; y < height; y += 1) {
      const from = (box.top + y) * mask.width + box.left;
      data.set(mask.data.subarray(from, from + width), y * width);
    }
    return this.#ask({ kind: "within", data, width, height, distance, inward }, [data.buffer]);
  }

  /**
   * @param {Uint8Array} data a mask, one byte a pixel; it is given away
   * @param {number} width
   * @param {number} height
   * @param {number} distance
   * @returns {Promise<Uint8ClampedArray<ArrayBuffer>>} of `softEdge`
   */
  softEdge(data, width, height, distance) {
    return this.#ask({ kind: "edge", data, width, height, distance }, [data.buffer]);
  }

  /**
   * @param {Order} order
   * @param {Transferable[]} transfer
   * @returns {Promise<any>} what the order's kind gives
   */
  #ask(order, transfer) {
    const worker = this.worker ?? this.#start();
    this.last += 1;
    const id = this.last;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      worker.postMessage({ id, order }, transfer);
    });
  }

  #start() {
    const worker = new Worker(this.url, { type: "module" });
    this.worker = worker;
    worker.addEventListener("message", ({ data: { id, found, problem } }) => {
      const waiting = this.waiting.get(id);
      this.waiting.delete(id);
      if (problem === undefined) waiting?.resolve(found);
      else waiting?.reject(new Error(problem));
    });
    worker.addEventListener("error", () => {
      // It died, most likely for want of memory: the next order gets a new one.
      worker.terminate();
      this.worker = null;
      this.photo = null;
      for (const { reject } of this.waiting.values()) reject(new Error("The selection could not be computed here."));
      this.waiting.clear();
    });
    return worker;
  }
}
