/**
 * What every tool of the stage is. The editor turns hands into photo pixels and opens and closes the undo step around
 * a gesture; a tool only says what the gesture does to the mask.
 *
 * @typedef {import("../geometry.js").Rect} Rect
 * @typedef {{x: number, y: number, radius: number, erase: boolean}} Dab photo pixels; the radius has the pen's pressure
 * @typedef {import("../mask-raster.js").MaskRaster} MaskRaster
 *
 * @typedef {object} Tool
 * @property {string} id
 * @property {string} label what a step of it is called in messages
 * @property {boolean} paints whether it changes the mask; tools that do not leave the stage to panning
 * @property {boolean} erases whether it takes away without being asked to
 * @property {(mask: MaskRaster, dab: Dab) => Rect} down all four return what has to be drawn again
 * @property {(mask: MaskRaster, dabs: Dab[]) => Rect} move
 * @property {(mask: MaskRaster) => Rect} up
 * @property {() => void} cancel forget the gesture; the editor has put the mask back
 */

export {};
