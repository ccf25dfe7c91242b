/**
 * Where a result came from: for models that copy, the source of the spot under the pointer; and the model's inner
 * pictures, laid over the photo.
 */

import { byId } from "../lib/dom.js";
import { sentence } from "../lib/http.js";
import { toast } from "../lib/toast.js";
import { fetchBitmap } from "./photo-store.js";
import { prefer, preference } from "./preferences.js";

/** @typedef {import("../types.js").Version} Version */
/** @typedef {import("../types.js").SourceMap} SourceMap */
/** @typedef {import("./geometry.js").Point} Point */
/** @typedef {import("./cursor-painter.js").Origin} Origin */
/** @typedef {import("./stage.js").Stage} Stage */

const NOWHERE = -32768;

/**
 * @param {SourceMap} map
 * @param {Int16Array} offsets vertical ones of all cells, then the horizontal ones
 * @param {Point} point photo pixels
 * @returns {Origin | null} nothing where the spot was not copied
 */
export function originOf({ box: [left, top, right, bottom], width, height, patch }, offsets, point) {
  if (point.x < left || point.y < top || point.x >= right || point.y >= bottom) return null;
  const column = Math.floor(((Math.floor(point.x) + 0.5 - left) * width) / (right - left));
  const row = Math.floor(((Math.floor(point.y) + 0.5 - top) * height) / (bottom - top));
  const down = offsets[row * width + column];
  const across = offsets[(height + row) * width + column];
  if (down === undefined || across === undefined || down === NOWHERE) return null;
  const square = (/** @type {number} */ x, /** @type {number} */ y) => {
    const middle = { x: left + ((x + 0.5) * (right - left)) / width, y: top + ((y + 0.5) * (bottom - top)) / height };
    const half = patch / 2;
    return { left: middle.x - half, top: middle.y - half, right: middle.x + half, bottom: middle.y + half };
  };
  return { spot: square(column, row), source: square(column + across, row + down) };
}

export class Origins {
  /**
   * @param {Stage} stage
   * @param {() => void} onChange
   */
  constructor(stage, onChange) {
    this.stage = stage;
    this.onChange = onChange;
    this.box = byId("origins", HTMLElement);
    this.choice = byId("overlays", HTMLSelectElement);
    this.choiceRow = byId("overlays-row", HTMLElement);
    this.opacity = byId("overlay-opacity", HTMLInputElement);
    this.opacityRow = byId("overlay-opacity-row", HTMLElement);
    this.hint = byId("origins-hint", HTMLElement);
    /** @type {Version | null} */
    this.version = null;
    /** Whether sources are outlined under the pointer. */
    this.on = false;
    /** @type {{map: SourceMap, offsets: Int16Array}[] | null} */
    this.maps = null;
    this.choice.addEventListener("change", () => void this.#lay(this.choice.value));
    this.opacity.valueAsNumber = preference("overlayOpacity") * 100;
    this.opacity.addEventListener("input", () => {
      const { overlay } = stage;
      prefer("overlayOpacity", this.opacity.valueAsNumber / 100);
      if (overlay) stage.overlay = { ...overlay, opacity: this.opacity.valueAsNumber / 100 };
      stage.photoChanged();
    });
  }

  get offered() {
    return (this.version?.sources?.length ?? 0) > 0;
  }

  /** @param {Version} version */
  show(version) {
    if (this.version === version) return;
    this.leave();
    this.version = version;
    const overlays = version.overlays ?? [];
    this.box.hidden = overlays.length === 0 && !this.offered;
    this.hint.hidden = !this.offered;
    this.choice.replaceChildren(new Option("Nothing", ""), ...overlays.map(({ name, title }) => new Option(title, name)));
    this.choiceRow.hidden = overlays.length === 0;
    this.opacityRow.hidden = true;
  }

  /** Another version comes: nothing of this one may stay. */
  leave() {
    this.version = null;
    this.maps = null;
    this.on = false;
    this.box.hidden = true;
    this.stage.overlay?.bitmap.close();
    this.stage.overlay = null;
    this.stage.origin = null;
    this.stage.photoChanged();
    this.stage.cursorChanged();
  }

  async toggle() {
    const { version } = this;
    this.on = !this.on;
    this.onChange();
    this.lookAt(null);
    if (!this.on || this.maps || !version) return;
    try {
      const maps = await Promise.all(version.sources.map(loadMap));
      if (this.version === version) this.maps = maps;
    } catch (error) {
      this.on = false;
      this.onChange();
      toast(sentence(error), "error");
    }
  }

  /** @param {Point | null} point photo pixels under the pointer */
  lookAt(point) {
    if (!this.on && !this.stage.origin) return;
    let origin = null;
    if (this.on && point) {
      for (const { map, offsets } of this.maps ?? []) origin ??= originOf(map, offsets, point);
    }
    this.stage.origin = origin;
    this.stage.cursorChanged();
  }

  /** @param {string} name of an overlay, empty for none */
  async #lay(name) {
    const { stage, version } = this;
    const overlay = version?.overlays?.find((each) => each.name === name);
    this.opacityRow.hidden = !overlay;
    let bitmap = null;
    try {
      if (overlay) bitmap = await fetchBitmap(overlay.url);
    } catch (error) {
      toast(sentence(error), "error");
    }
    if (this.version !== version || this.choice.value !== name) {
      bitmap?.close();
      return;
    }
    stage.overlay?.bitmap.close();
    stage.overlay = overlay && bitmap ? { bitmap, box: overlay.box, opacity: this.opacity.valueAsNumber / 100 } : null;
    stage.photoChanged();
  }
}

/**
 * @param {SourceMap} map
 * @returns {Promise<{map: SourceMap, offsets: Int16Array}>}
 */
async function loadMap(map) {
  const response = await fetch(map.url, { credentials: "same-origin" });
  if (!response.ok || !response.body) throw new Error(`A source map could not be loaded (error ${response.status}).`);
  const plain = await new Response(response.body.pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
  return { map, offsets: new Int16Array(plain) };
}
