/** Work on the mask as a whole: grow, shrink, pick by colour, import, export, selections made by the studio. */

import { ApiError, call, csrfToken, errorFrom, sentence } from "../lib/http.js";
import { toast } from "../lib/toast.js";
import { EMPTY, intersect, union } from "./geometry.js";
import { HOLE, MaskRaster, THRESHOLD } from "./mask-raster.js";
import { decodeGrey, encodeGrey, PngError } from "./png.js";
import { preference } from "./preferences.js";
import { fillRuns } from "./shapes.js";

/** @typedef {import("./geometry.js").Rect} Rect */
/** @typedef {import("./editor.js").Editor} Editor */
/** @typedef {import("./tools/tool.js").Dab} Dab */

export class MaskWork {
  /**
   * @param {Editor} editor
   * @param {import("./heavy.js").Heavy} heavy
   */
  constructor(editor, heavy) {
    this.editor = editor;
    this.heavy = heavy;
    /** Whether something is being computed that will change the mask. */
    this.busy = false;
    /** Whether the next object selection takes away. */
    this.selectionErases = false;
    /** Where the holes of versions were, by version; see `middleOf`. @type {Map<string, number>} */
    this.middles = new Map();
    /** What the studio's workers can select. @type {string[]} */
    this.abilities = editor.boot.abilities.select;
  }

  async askAbilities() {
    try {
      this.abilities = (await call(`${this.editor.api}/abilities`)).select;
    } catch (error) {
      // Without an answer they stay as the page knew them; everything else works.
      console.info("What can be selected is unknown.", error);
    }
    this.editor.changed();
  }

  /** @param {boolean} inward whether to shrink */
  async reach(inward) {
    const { mask } = this.editor;
    const distance = preference("reach");
    await this.#alone(async () => {
      const { extent } = mask.measure();
      const more = inward ? 1 : distance;
      const box = intersect(mask.bounds, {
        left: extent.left - more,
        top: extent.top - more,
        right: extent.right + more,
        bottom: extent.bottom + more,
      });
      const runs = await this.heavy.within(mask, box, distance, inward);
      this.#edit(`Mask ${inward ? "shrunk" : "grown"} by ${distance} pixels`, runs, inward, box);
    });
  }

  /** @param {Dab} dab */
  async pickColour(dab) {
    const { editor } = this;
    const { width, height } = editor.mask;
    const { photo } = editor.stage;
    const at = { x: Math.floor(dab.x), y: Math.floor(dab.y) };
    if (!photo || at.x < 0 || at.y < 0 || at.x >= width || at.y >= height) return;
    await this.#alone(async () => {
      const runs = await this.heavy.selectByColour(editor.current.id, photo, {
        ...at,
        photoWidth: width,
        photoHeight: height,
        tolerance: preference("tolerance"),
        contiguous: preference("contiguous"),
      });
      this.#edit(dab.erase ? "Colour taken off the mask" : "Colour added to the mask", runs, dab.erase);
    });
    if (!dab.erase) editor.fills.letGo();
  }

  /** Bring back the mask the version on show was made with, or was last filled with. */
  async previous() {
    const url = this.previousUrl;
    if (!url) return;
    await this.#alone(async () => {
      const grey = await this.#maskAt(url);
      this.#replace("Previous mask", grey);
    });
  }

  /**
   * @param {import("../types.js").Version} version
   * @returns {Promise<number>} where the middle of its hole was, as a share of the photo's width; the photo's own middle
   *   when that is not known
   */
  async middleOf(version) {
    const known = this.middles.get(version.id);
    if (known !== undefined || !version.mask_url) return known ?? 0.5;
    const { width } = this.editor.mask;
    let [left, right] = [width, 0];
    try {
      const grey = await this.#maskAt(version.mask_url);
      for (let row = 0; row < grey.length; row += width) {
        const line = grey.subarray(row, row + width);
        const first = line.indexOf(HOLE);
        if (first < 0) continue;
        left = Math.min(left, first);
        right = Math.max(right, line.lastIndexOf(HOLE) + 1);
      }
    } catch (error) {
      // Only where the slider begins depends on it.
      console.info("The mask of this version could not be read.", error);
    }
    const middle = right > left ? (left + right) / 2 / width : 0.5;
    this.middles.set(version.id, middle);
    return middle;
  }

  /** @returns {string | null} */
  get previousUrl() {
    const { current, picture } = this.editor;
    const children = picture.versions.filter((version) => version.parent === current.id && version.mask_url);
    return children[children.length - 1]?.mask_url ?? current.mask_url;
  }

  /**
   * Take over a mask from a file. 8-bit grey PNG files are read here; for everything else the studio applies its rule.
   *
   * @param {File} file
   */
  async importFile(file) {
    const { mask, api, current } = this.editor;
    await this.#alone(async () => {
      let decoded;
      try {
        decoded = await decodeGrey(new Uint8Array(await file.arrayBuffer()));
      } catch (error) {
        if (!(error instanceof PngError)) throw error;
        const form = new FormData();
        form.set("mask", file);
        const png = await fetchBytes(`${api}/versions/${current.id}/mask`, { method: "POST", body: form });
        decoded = await decodeGrey(png);
      }
      if (decoded.width !== mask.width || decoded.height !== mask.height) {
        throw new ApiError(
          `This mask has ${decoded.width} × ${decoded.height} pixels, the photo ${mask.width} × ${mask.height}.`,
          "mask-size",
          0,
        );
      }
      this.#replace("Mask imported", decoded.grey);
    });
  }

  async exportFile() {
    const url = URL.createObjectURL(await this.editor.session.file());
    const link = document.createElement("a");
    link.href = url;
    link.download = `${this.editor.picture.title || "photo"} mask.png`;
    link.click();
    // The download has its own hold of the file once it has begun.
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }

  /**
   * Ask the studio for the object under a rough stroke.
   *
   * @param {Dab[]} stroke
   */
  async selectObject(stroke) {
    const { width, height } = this.editor.mask;
    this.selectionErases = stroke[0]?.erase ?? false;
    const hint = new MaskRaster(width, height);
    for (const [i, dab] of stroke.entries()) hint.stroke(stroke[Math.max(0, i - 1)] ?? dab, dab, false);
    await this.#select("object", await encodeGrey(hint.data, width, height));
  }

  async selectText() {
    this.selectionErases = false;
    await this.#select("text", null);
  }

  /**
   * A selection is there: add it to the mask, or take it away.
   *
   * @param {import("../types.js").Job} job
   */
  async takeSelection(job) {
    if (!job.selection) throw new ApiError("The selection is missing.", "selection", 0);
    const grey = await this.#maskAt(job.selection.mask_url);
    const erase = this.selectionErases;
    if (!grey.some((value) => value >= THRESHOLD)) {
      toast(job.kind === "select-text" ? "No text was found in this photo." : "No object was found there. Try a longer stroke.");
      return;
    }
    const { session, stage } = this.editor;
    stage.maskChanged(
      session.edit(job.model_title, (mask) => {
        let dirty = /** @type {Rect} */ ({ ...EMPTY });
        for (let y = 0; y < mask.height; y += 1) {
          const row = y * mask.width;
          const runs = rowRuns(grey.subarray(row, row + mask.width), y);
          if (runs.length > 0) dirty = union(dirty, fillRuns(mask, Int32Array.from(runs), erase));
        }
        return dirty;
      }),
    );
  }

  /**
   * @param {"object" | "text"} kind
   * @param {Blob | null} hint
   */
  async #select(kind, hint) {
    const { run, current } = this.editor;
    await run.submit(
      `versions/${current.id}/select`,
      async () => {
        const form = new FormData();
        form.set("kind", kind);
        if (hint) form.set("hint", hint, "hint.png");
        return form;
      },
      "Looking at the photo",
    );
  }

  /**
   * @param {string} label
   * @param {Int32Array} runs
   * @param {boolean} erase
   * @param {Rect} [box]
   */
  #edit(label, runs, erase, box) {
    const { session, stage } = this.editor;
    stage.maskChanged(session.edit(label, (mask) => fillRuns(mask, runs, erase, box)));
    this.editor.say(label);
  }

  /**
   * @param {string} label
   * @param {Uint8Array} grey
   */
  #replace(label, grey) {
    const { session, stage } = this.editor;
    stage.maskChanged(session.edit(label, (mask) => mask.replace(grey)));
    this.editor.say(label);
  }

  /** @param {string} url @returns {Promise<Uint8Array>} */
  async #maskAt(url) {
    const { grey, width, height } = await decodeGrey(await fetchBytes(url, {}));
    const { mask } = this.editor;
    if (width !== mask.width || height !== mask.height) throw new ApiError("That mask belongs to another photo.", "mask", 0);
    return grey;
  }

  /**
   * One piece of work at a time, with the mask locked; what goes wrong is told.
   *
   * @param {() => Promise<void>} work
   */
  async #alone(work) {
    if (this.editor.locked) return;
    this.busy = true;
    this.editor.changed();
    try {
      await work();
    } catch (error) {
      toast(error instanceof PngError ? error.message : sentence(error), "error");
    } finally {
      this.busy = false;
      this.editor.hand.show();
      this.editor.changed();
    }
  }
}

/**
 * @param {Uint8Array} row
 * @param {number} y
 * @returns {number[]}
 */
function rowRuns(row, y) {
  const runs = [];
  for (let x = row.findIndex((value) => value >= THRESHOLD); x >= 0 && x < row.length; ) {
    let end = x;
    while (end < row.length && /** @type {number} */ (row[end]) >= THRESHOLD) end += 1;
    runs.push(y, x, end);
    while (end < row.length && /** @type {number} */ (row[end]) < THRESHOLD) end += 1;
    x = end;
  }
  return runs;
}

/**
 * @param {string} url
 * @param {{method?: string, body?: FormData}} options
 * @returns {Promise<Uint8Array>}
 */
async function fetchBytes(url, { method = "GET", body }) {
  let response;
  try {
    response = await fetch(url, {
      method,
      credentials: "same-origin",
      headers: method === "GET" ? {} : { "X-CSRFToken": csrfToken(), Accept: "image/png, application/json" },
      ...(body ? { body } : {}),
    });
  } catch {
    throw new ApiError("The studio cannot be reached. Check the connection and try again.", "offline", 0);
  }
  if (!response.ok) throw errorFrom(response.status, await response.text());
  return new Uint8Array(await response.arrayBuffer());
}
