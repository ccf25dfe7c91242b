/** The bell in the header: how much is unread, told live by the socket, and the latest in a menu. */

import { byId, icon, make } from "../lib/dom.js";
import { timeAgo } from "../lib/format.js";
import { call, sentence } from "../lib/http.js";
import { toast } from "../lib/toast.js";
import { NOTIFICATION } from "../live/messages.js";
import { LiveSocket, NEWS, SOCKET_UP } from "../live/socket.js";

/** @typedef {import("../types.js").Notice} Notice */

const ICONS = /** @type {Record<string, string>} */ ({
  invitation: "team",
  team: "team",
  job: "needle",
  review: "check",
  comment: "comment",
  mention: "comment",
});
const MOST_SHOWN = 99;

/**
 * @param {number} unread
 * @returns {string} what stands at the bell; nothing when everything was read
 */
export function countLabel(unread) {
  if (unread <= 0) return "";
  return unread > MOST_SHOWN ? `${MOST_SHOWN}+` : String(unread);
}

/**
 * @param {Notice} notice
 * @returns {HTMLLIElement}
 */
function itemOf(notice) {
  return make(
    "li",
    { class: notice.read ? "bell__item" : "bell__item is-unread" },
    make(
      "a",
      { href: notice.url },
      icon(ICONS[notice.kind] ?? "info"),
      make(
        "span",
        { class: "bell__text" },
        notice.text,
        make("time", { class: "bell__when", datetime: notice.created_at }, timeAgo(notice.created_at)),
      ),
    ),
  );
}

/**
 * @param {Notice} notice
 * @returns {boolean} whether one sees it anyway, as the end of a fill in the editor that shows it
 */
function isAboutThisPage(notice) {
  return new URL(notice.url, location.href).pathname === location.pathname;
}

class Bell {
  /** @param {HTMLDetailsElement} menu */
  constructor(menu) {
    this.menu = menu;
    this.api = (menu.dataset["api"] ?? "").replace(/\/$/, "");
    this.count = byId("bell-count", HTMLElement);
    this.items = byId("bell-items", HTMLElement);
    this.readButton = byId("bell-read", HTMLButtonElement);
    this.wasUp = false;
    menu.addEventListener("toggle", () => {
      if (menu.open) void this.load();
    });
    this.readButton.addEventListener("click", (event) => {
      event.stopPropagation(); // the list stays open, so that one sees what changed
      void this.readAll();
    });
    const url = menu.dataset["socket"];
    if (url) this.listen(url);
    else this.overhear();
  }

  /** @param {string} url of a socket of one's own */
  listen(url) {
    const socket = new LiveSocket(url, {
      onMessage: (message) => {
        if (message.type === NOTIFICATION) this.hear(message.unread, message.notification);
      },
      onUp: () => this.isUp(),
    });
    socket.start();
  }

  /** A page has one socket: where something else has it, that passes the news on. */
  overhear() {
    document.addEventListener(NEWS, (event) => {
      if (event instanceof CustomEvent) this.hear(event.detail.unread, event.detail.notification);
    });
    document.addEventListener(SOCKET_UP, () => this.isUp());
  }

  isUp() {
    // What came while the line was down was not told; the page itself brought the first count along.
    if (this.wasUp) void this.load();
    this.wasUp = true;
  }

  /**
   * @param {number} unread
   * @param {Notice | null} notice
   */
  hear(unread, notice) {
    this.show(unread);
    if (this.menu.open) void this.load();
    else if (notice && !isAboutThisPage(notice)) toast(notice.text, "info", { label: "Show", run: () => location.assign(notice.url) });
  }

  /** @param {number} unread */
  show(unread) {
    this.count.textContent = countLabel(unread);
    this.count.hidden = unread <= 0;
    this.menu.querySelector("summary")?.setAttribute("aria-label", `Notifications, ${unread} unread`);
    this.readButton.hidden = unread <= 0;
  }

  async load() {
    try {
      const answer = await call(`${this.api}/notifications`);
      this.items.replaceChildren(...answer.items.map(itemOf));
      byId("bell-empty", HTMLElement).hidden = answer.items.length > 0;
      this.show(answer.unread);
    } catch (error) {
      toast(sentence(error), "error");
    }
  }

  async readAll() {
    try {
      await call(`${this.api}/notifications/read`, { method: "POST", body: {} });
      await this.load();
    } catch (error) {
      toast(sentence(error), "error");
    }
  }
}

if (typeof document !== "undefined") {
  const menu = document.getElementById("bell");
  if (menu instanceof HTMLDetailsElement) new Bell(menu);
}
