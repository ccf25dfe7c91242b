/** A slider between two pictures of the same size: whatever carries `data-compare`. */

/**
 * @param {HTMLElement} element with a range input in it
 */
export function wireCompare(element) {
  const range = element.querySelector("input[type=range]");
  if (!(range instanceof HTMLInputElement)) return;
  const show = () => element.style.setProperty("--at", `${range.value}%`);
  range.addEventListener("input", show);
  show();
  const { width, height } = element.dataset;
  if (width && height) setRatio(element, Number(width), Number(height));
}

/**
 * @param {HTMLElement} element
 * @param {number} width
 * @param {number} height
 */
export function setRatio(element, width, height) {
  element.style.setProperty("--ratio", String(width / height));
}
