/** One picture in a gallery. */

import { icon, make } from "../lib/dom.js";
import { counted, dimensions, timeAgo } from "../lib/format.js";

/** @typedef {import("../types.js").PictureCard} PictureCard */
/**
 * @typedef {object} Card
 * @property {PictureCard} picture as it is now
 * @property {HTMLLIElement} element
 * @property {HTMLInputElement} tick
 * @property {() => void} refresh show what changed in `picture`
 */

export const REVIEW_WORDS = Object.freeze({ open: "Open", approved: "Approved", changes: "Changes wanted" });

/**
 * @param {"open" | "approved" | "changes"} review
 * @returns {HTMLElement | null} nothing for what is open
 */
export function reviewBadge(review) {
  if (review === "open") return null;
  const kind = review === "approved" ? "badge--success" : "badge--warning";
  return make("span", { class: `badge ${kind}` }, REVIEW_WORDS[review]);
}

/**
 * @param {PictureCard} picture
 * @param {{trash: boolean, mayEdit: boolean}} place
 * @param {{onFavourite: (card: Card) => void, onDelete: (card: Card) => void, onTick: (card: Card, range: boolean) => void}} listeners
 * @returns {Card}
 */
export function makeCard(picture, place, listeners) {
  const tick = make("input", { type: "checkbox", "aria-label": `Select ${picture.title}` });
  const marks = make("div", { class: "picture__marks" });
  const tags = make("p", { class: "picture__tags" });
  const star = make("button", { class: "icon-button", type: "button" }, icon("star"));
  const remove = make(
    "button",
    { class: "icon-button picture__delete", type: "button", "aria-label": `Delete ${picture.title}`, title: "Delete" },
    icon("clear"),
  );
  const image = make("img", {
    class: "picture__thumb", src: picture.thumb_url, alt: "", loading: "lazy", decoding: "async", width: 320, height: 240,
  });
  const facts = make("p", { class: "picture__facts" });
  if (picture.versions > 1) facts.append(counted(picture.versions, "version", "versions"));
  const size = dimensions(picture.width, picture.height);
  if (picture.versions > 1) facts.append(make("span", { class: "picture__size" }, ` · ${size}`));
  else facts.append(size);
  const element = make(
    "li",
    { class: "picture card", "data-picture": picture.id },
    place.trash
      ? make("div", { class: "picture__link" }, image)
      : make("a", { class: "picture__link", href: picture.page_url, "aria-label": `Open ${picture.title}` }, image),
    make("label", { class: "picture__tick" }, tick),
    marks,
    make("h2", { class: "picture__title", title: picture.title }, picture.title),
    make(
      "div",
      { class: "picture__text" },
      facts,
      make("p", { class: "picture__facts" }, picture.trashed_at ? `deleted ${timeAgo(picture.trashed_at)}` : timeAgo(picture.changed_at)),
    ),
    place.trash ? null : make("div", { class: "picture__buttons" }, star, place.mayEdit ? remove : null),
    tags,
  );
  /** @type {Card} */
  const card = { picture, element, tick, refresh };
  tick.addEventListener("click", (event) => listeners.onTick(card, event.shiftKey));
  star.addEventListener("click", () => listeners.onFavourite(card));
  remove.addEventListener("click", () => listeners.onDelete(card));
  refresh();
  return card;

  function refresh() {
    const { favourite, review } = card.picture;
    star.setAttribute("aria-pressed", String(favourite));
    star.setAttribute("aria-label", `${card.picture.title}: favourite`);
    star.title = favourite ? "Not a favourite any more" : "Favourite";
    star.replaceChildren(icon(favourite ? "star-full" : "star"));
    const badge = reviewBadge(review);
    marks.replaceChildren(...(badge ? [badge] : []));
    tags.textContent = card.picture.tags.map((tag) => `#${tag}`).join("  ");
    tags.title = tags.textContent;
    tags.hidden = card.picture.tags.length === 0;
  }
}
