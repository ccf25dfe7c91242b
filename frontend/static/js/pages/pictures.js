/** “My pictures”: cards that come as one scrolls, and a way to delete them. */

import { byId, icon, make, readJson } from "../lib/dom.js";
import { counted, dimensions, timeAgo } from "../lib/format.js";
import { call, sentence } from "../lib/http.js";
import { toast } from "../lib/toast.js";

/** @typedef {import("../types.js").PictureCard} PictureCard */

const API = "/api";
const list = byId("gallery", HTMLElement);
const end = byId("gallery-end", HTMLElement);
const status = byId("gallery-status", HTMLElement);
const more = byId("gallery-more", HTMLButtonElement);
const empty = byId("gallery-empty", HTMLElement);
const dialog = byId("delete-dialog", HTMLDialogElement);
const dialogName = byId("delete-name", HTMLElement);
/** @type {string | null} where the next cards begin; null when all are here */
let cursor = list.dataset.next || null;
let loading = false;
/** @type {{picture: PictureCard, element: HTMLElement} | null} what the open dialog is about */
let asked = null;

add(readJson("first-items"));
more.addEventListener("click", () => void load());
new IntersectionObserver((entries) => {
  if (entries.some((entry) => entry.isIntersecting)) void load();
}, { rootMargin: "600px" }).observe(end);

/** @param {PictureCard[]} items */
function add(items) {
  list.append(...items.map(card));
  list.setAttribute("aria-busy", "false");
  status.textContent = "";
  showEmpty();
}

async function load() {
  if (loading || cursor === null) return;
  loading = true;
  more.hidden = true;
  status.textContent = "Loading your pictures…";
  list.setAttribute("aria-busy", "true");
  try {
    const page = /** @type {{items: PictureCard[], next: string | null}} */ (
      await call(`${API}/pictures?cursor=${encodeURIComponent(cursor)}`)
    );
    cursor = page.next;
    add(page.items);
    // Where the first cards do not fill the page nothing scrolls, so the next ones are asked for here.
    if (cursor !== null && end.getBoundingClientRect().top < window.innerHeight + 600) queueMicrotask(() => void load());
  } catch (error) {
    status.textContent = sentence(error);
    more.textContent = "Try again";
    more.hidden = false;
  } finally {
    loading = false;
    list.setAttribute("aria-busy", "false");
  }
}

function showEmpty() {
  const none = cursor === null && list.childElementCount === 0;
  empty.hidden = !none;
  end.hidden = none;
}

/** @param {PictureCard} picture */
function card(picture) {
  const versions = picture.versions > 1 ? `${counted(picture.versions, "version", "versions")} · ` : "";
  const remove = make(
    "button",
    { class: "icon-button picture__delete", type: "button", "aria-label": `Delete ${picture.title}`, title: "Delete" },
    icon("clear"),
  );
  const element = make(
    "li",
    { class: "picture card" },
    make(
      "a",
      { class: "picture__link", href: picture.edit_url, "aria-label": `Edit ${picture.title}` },
      make("img", { class: "picture__thumb", src: picture.thumb_url, alt: "", loading: "lazy", decoding: "async" }),
    ),
    make(
      "div",
      { class: "picture__text" },
      make("h2", { class: "picture__title", title: picture.title }, picture.title),
      make("p", { class: "picture__facts" }, `${versions}${dimensions(picture.width, picture.height)}`),
      make("p", { class: "picture__facts" }, timeAgo(picture.changed_at)),
    ),
    remove,
  );
  remove.addEventListener("click", () => askToDelete(picture, element));
  return element;
}

/**
 * @param {PictureCard} picture
 * @param {HTMLElement} element
 */
function askToDelete(picture, element) {
  asked = { picture, element };
  dialogName.textContent = `“${picture.title}”`;
  dialog.showModal();
}

// The answer is taken from the form: a dialog's “close” comes late, perhaps after the next question was asked.
dialog.addEventListener("submit", (event) => {
  const answer = event.submitter instanceof HTMLButtonElement ? event.submitter.value : "keep";
  if (answer === "delete" && asked) void destroy(asked.picture, asked.element);
  asked = null;
});

/**
 * @param {PictureCard} picture
 * @param {HTMLElement} element
 */
async function destroy(picture, element) {
  const next = element.nextElementSibling ?? element.previousElementSibling;
  try {
    await call(`${API}/pictures/${picture.id}`, { method: "DELETE" });
    element.remove();
    toast(`“${picture.title}” is deleted.`, "success");
    showEmpty();
    const link = next?.querySelector("a");
    if (link) link.focus();
    else byId("main", HTMLElement).focus();
  } catch (error) {
    toast(sentence(error), "error");
  }
}
