/**
 * What every tool of the stage is. The hand turns pointers into photo pixels and opens and closes the undo step around
 * a gesture; a tool only says what the gesture does to the mask.
 *
 * @typedef {import("../geometry.js").Rect} Rect
 * @typedef {import("../geometry.js").Point} Point
 * @typedef {{x: number, y: number, radius: number, erase: boolean, slack: number}} Dab photo pixels; the radius has the
 *   pen's pressure, the slack is how far a hand may miss and still be meant
 * @typedef {{points: Point[], closed: boolean, erase: boolean, width: number}} Sketch an outline that is not mask yet,
 *   in photo pixels; a width of 0 is a thin line
 * @typedef {import("../mask-raster.js").MaskRaster} MaskRaster
 *
 * @typedef {object} Tool
 * @property {string} id
 * @property {string} label what a step of it is called in messages
 * @property {boolean} paints whether it changes the mask; tools that do not leave the stage to panning
 * @property {boolean} erases whether it takes away without being asked to
 * @property {boolean} round whether it has the size of the brush
 * @property {(mask: MaskRaster, dab: Dab) => Rect} down all of these return what has to be drawn again
 * @property {(mask: MaskRaster, dabs: Dab[]) => Rect} move
 * @property {(mask: MaskRaster) => Rect} up
 * @property {() => void} cancel forget the gesture; the hand has put the mask back
 * @property {() => Sketch | null} [sketch]
 * @property {() => boolean} [pending] whether it waits for more after the hand was lifted
 * @property {(dab: Dab) => void} [hover] where the hand would go next
 * @property {(mask: MaskRaster) => Rect} [finish] end what is pending
 * @property {() => void} [stepBack] take back the last corner
 */

export {};
