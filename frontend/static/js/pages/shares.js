/** The links one has made. */

import { byId, icon, make, readJson } from "../lib/dom.js";
import { counted, timeAgo } from "../lib/format.js";
import { call, sentence } from "../lib/http.js";
import { toast } from "../lib/toast.js";

/** @typedef {{id: string, title: string, pictures: number, has_password: boolean, allow_download: boolean,
 *   created_at: string, expires_at: string | null, revoked_at: string | null, works: boolean, views: number,
 *   seen_at: string | null}} Share */

const api = /** @type {{api: string}} */ (readJson("boot")).api.replace(/\/$/, "");
const shares = /** @type {Share[]} */ (readJson("shares-list"));
show();

function show() {
  byId("shares", HTMLElement).replaceChildren(...shares.map(row));
  byId("shares-empty", HTMLElement).hidden = shares.length > 0;
}

/** @param {Share} share */
function row(share) {
  const badge = share.works
    ? make("span", { class: "badge badge--success" }, "Works")
    : make("span", { class: "badge" }, share.revoked_at ? "Taken back" : "Expired");
  const facts = [
    counted(share.pictures, "picture", "pictures"),
    `made ${timeAgo(share.created_at)}`,
    share.works ? ends(share.expires_at) : null,
    share.has_password ? "with a password" : null,
    share.allow_download ? "may be downloaded" : null,
  ].filter((fact) => fact !== null);
  const views = share.views === 0 ? "never opened" : `opened ${counted(share.views, "time", "times")}`;
  const seen = share.seen_at ? `, last ${timeAgo(share.seen_at)}` : "";
  const revoke = make("button", { class: "button", type: "button", "aria-label": `Take back ${share.title}` }, icon("close"), "Take back");
  revoke.addEventListener("click", () => void takeBack(share));
  return make(
    "li",
    { class: "card share" },
    make(
      "div",
      { class: "share__text" },
      make("h2", { class: "share__title" }, share.title, " ", badge),
      make("p", { class: "share__facts" }, facts.join(" · ")),
      make("p", { class: "share__facts" }, `${views}${seen}`),
    ),
    share.works ? revoke : null,
  );
}

/** @param {string | null} expires */
function ends(expires) {
  if (expires === null) return "no end";
  const day = new Date(expires).toLocaleDateString("en", { day: "numeric", month: "long", year: "numeric" });
  return `until ${day}`;
}

/** @param {Share} share */
async function takeBack(share) {
  try {
    Object.assign(share, await call(`${api}/shares/${share.id}`, { method: "DELETE" }));
    show();
    toast(`“${share.title}” shows nothing any more.`, "success");
    byId("main", HTMLElement).focus();
  } catch (error) {
    toast(sentence(error), "error");
  }
}
