/** Move the photo about. The stage does it; this tool only keeps its hands off the mask. */

import { EMPTY } from "../geometry.js";

/** @type {import("./tool.js").Tool} */
export const PAN = {
  id: "pan",
  label: "pan",
  paints: false,
  erases: false,
  round: false,
  down: () => ({ ...EMPTY }),
  move: () => ({ ...EMPTY }),
  up: () => ({ ...EMPTY }),
  cancel: () => undefined,
};
