/** Comments on the picture in threads; the first of a thread may point at a spot. */

import { byId, make } from "../lib/dom.js";
import { personName, timeAgo } from "../lib/format.js";
import { call, sentence } from "../lib/http.js";
import { toast } from "../lib/toast.js";
import { Spots } from "./spots.js";

/** @typedef {import("../types.js").Comment} Comment */
/** @typedef {import("../types.js").Picture} Picture */
/** @typedef {import("../types.js").Reviews} Reviews */

export class Comments {
  /**
   * @param {{api: string, me: string, picture: Picture, reviews: Reviews, version: () => string}} page
   * @param {(version: string) => void} onShow a comment is about this version
   */
  constructor(page, onShow) {
    this.page = page;
    this.onShow = onShow;
    this.list = byId("threads", HTMLElement);
    this.people = new Set(page.reviews.people.map((person) => person.username.toLowerCase()));
    this.spots = new Spots(page.picture, {
      onOpen: (id) => this.#open(id),
      onAim: (spot) => this.#aimed(spot !== null),
    });
    const form = document.getElementById("comment-form");
    form?.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#write();
    });
    document.getElementById("point")?.addEventListener("click", () => {
      if (this.spots.chosen || !this.spots.aim.hidden) {
        this.spots.clear();
        this.#aimed(false);
      } else this.spots.begin();
    });
    this.show();
  }

  show() {
    const { comments } = this.page.reviews;
    const threads = comments.filter((comment) => comment.thread === null);
    this.list.replaceChildren(...threads.map((comment, i) => this.#thread(comment, i + 1)));
    byId("no-comments", HTMLElement).hidden = threads.length > 0;
    this.spots.show(
      threads.flatMap((comment, i) =>
        comment.spot && !comment.settled_at ? [{ id: comment.id, number: i + 1, spot: comment.spot }] : [],
      ),
    );
  }

  /**
   * @param {Comment} first
   * @param {number} number
   */
  #thread(first, number) {
    const answers = this.page.reviews.comments.filter((comment) => comment.thread === first.id);
    const may = this.page.picture.may.review;
    const settled = first.settled_at !== null;
    const element = make(
      "li",
      { class: `thread card${settled ? " is-settled" : ""}`, id: `comment-${first.id}`, tabindex: "-1" },
      this.#comment(first, number),
      ...answers.map((answer) => this.#comment(answer, null)),
    );
    if (!may) return element;
    const answer = make("button", { class: "button button--quiet", type: "button" }, "Answer");
    const settle = make("button", { class: "button button--quiet", type: "button" }, settled ? "Open again" : "Settle");
    answer.addEventListener("click", () => this.#answer(element, first));
    settle.addEventListener("click", () => {
      void this.#change(`${this.page.api}/comments/${first.id}/settled`, "PUT", { settled: !settled }, first);
    });
    element.append(make("div", { class: "thread__actions" }, answer, settle));
    return element;
  }

  /**
   * @param {Comment} comment
   * @param {number | null} number of its thread
   */
  #comment(comment, number) {
    const head = make("p", { class: "comment__head" }, make("b", {}, personName(comment.author)), timeAgo(comment.created_at));
    if (comment.edited_at) head.append(" · changed");
    if (comment.settled_at) head.append(make("span", { class: "badge badge--success" }, "Settled"));
    if (number !== null) {
      const index = this.page.picture.versions.findIndex((version) => version.id === comment.version);
      const where = make(
        "button",
        { class: "button button--quiet", type: "button" },
        comment.spot ? `Spot ${number}, version ${index + 1}` : `Version ${index + 1}`,
      );
      where.addEventListener("click", () => this.onShow(comment.version));
      head.append(where);
    }
    if (comment.author?.id === this.page.me && !this.page.reviews.comments.some((each) => each.thread === comment.id)) {
      const remove = make("button", { class: "button button--quiet", type: "button" }, "Delete");
      remove.addEventListener("click", () => void this.#remove(comment));
      head.append(remove);
    }
    const id = number === null ? `comment-${comment.id}` : null;
    return make("div", { class: "comment", id }, head, make("p", { class: "comment__text" }, ...this.#text(comment.text)));
  }

  /**
   * @param {string} text
   * @returns {(string | Node)[]} with the names of people who can be told set apart
   */
  #text(text) {
    return text.split(/(?<![\w@.])(@[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)/).map((part) =>
      part.startsWith("@") && this.people.has(part.slice(1).toLowerCase()) ? make("b", {}, part) : part,
    );
  }

  /** @param {string} id */
  #open(id) {
    const thread = document.getElementById(`comment-${id}`);
    thread?.scrollIntoView({ block: "center", behavior: "smooth" });
    thread?.focus({ preventScroll: true });
  }

  /** @param {boolean} set */
  #aimed(set) {
    const button = byId("point", HTMLButtonElement);
    button.setAttribute("aria-pressed", String(set));
    byId("point-label", HTMLElement).textContent = set ? "Take the spot off" : "Point at a spot";
    byId("comment-text", HTMLTextAreaElement).focus();
  }

  async #write() {
    const field = byId("comment-text", HTMLTextAreaElement);
    const { chosen } = this.spots;
    if (await this.#send(this.page.version(), { text: field.value, spot: chosen })) {
      field.value = "";
      this.spots.clear();
      if (chosen) this.#aimed(false);
    }
  }

  /**
   * @param {HTMLElement} thread
   * @param {Comment} first
   */
  #answer(thread, first) {
    if (thread.querySelector("form")) return;
    const field = make("textarea", { rows: 2, maxlength: 4000, "aria-label": "Your answer" });
    const form = make(
      "form",
      { class: "form comment-form" },
      make("div", { class: "field" }, field),
      make("div", { class: "comment-form__buttons" }, make("span"), make("button", { class: "button", type: "submit" }, "Answer")),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#send(first.version, { text: field.value, thread: first.id });
    });
    thread.append(form);
    field.focus();
  }

  /**
   * @param {string} version
   * @param {object} body
   * @returns {Promise<boolean>}
   */
  async #send(version, body) {
    try {
      const url = `${this.page.api}/versions/${version}/comments`;
      const comment = /** @type {Comment} */ (await call(url, { method: "POST", body }));
      this.page.reviews.comments.push(comment);
      const first = this.page.reviews.comments.find((each) => each.id === comment.thread);
      if (first) first.settled_at = null;
      this.show();
      return true;
    } catch (error) {
      toast(sentence(error), "error");
      return false;
    }
  }

  /**
   * @param {string} url
   * @param {string} method
   * @param {object} body
   * @param {Comment} comment
   */
  async #change(url, method, body, comment) {
    try {
      Object.assign(comment, await call(url, { method, body }));
      this.show();
    } catch (error) {
      toast(sentence(error), "error");
    }
  }

  /** @param {Comment} comment */
  async #remove(comment) {
    try {
      await call(`${this.page.api}/comments/${comment.id}`, { method: "DELETE" });
      this.page.reviews.comments = this.page.reviews.comments.filter((each) => each.id !== comment.id);
      this.show();
    } catch (error) {
      toast(sentence(error), "error");
    }
  }
}
