/** Short notices in the corner of the page; errors stay until they are dismissed. */

import { byId, icon, make } from "./dom.js";

const LIFETIME_MS = 6000;
const ICONS = { info: "info", success: "check", error: "warning" };

/**
 * @param {string} text
 * @param {"info" | "success" | "error"} [kind]
 * @param {{label: string, run: () => void}} [offer] something to do about it
 */
export function toast(text, kind = "info", offer) {
  const region = byId("toasts", HTMLElement);
  for (const shown of region.querySelectorAll(".toast__text")) {
    if (shown.textContent === text) shown.closest(".toast")?.remove();
  }
  const close = make("button", { class: "icon-button", type: "button", "aria-label": "Dismiss" }, icon("close"));
  const element = make(
    "div",
    { class: `toast toast--${kind}`, role: kind === "error" ? "alert" : null },
    icon(ICONS[kind]),
    make("span", { class: "toast__text" }, text),
    offer ? make("button", { class: "button button--small", type: "button" }, offer.label) : null,
    close,
  );
  element.querySelector(".button")?.addEventListener("click", () => {
    element.remove();
    offer?.run();
  });
  close.addEventListener("click", () => element.remove());
  region.append(element);
  if (kind !== "error" && !offer) setTimeout(() => element.remove(), LIFETIME_MS);
}
