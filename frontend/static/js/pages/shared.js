/** Pages for people without an account, and the slider in other people's pages. */

import { wireCompare } from "../lib/compare.js";

for (const element of document.querySelectorAll("[data-compare]")) {
  if (element instanceof HTMLElement) wireCompare(element);
}
