/** A gallery: cards that come as one scrolls, search, and what can be done with many pictures at once. */

import { Bulk } from "../gallery/bulk.js";
import { makeCard } from "../gallery/cards.js";
import { Feed } from "../gallery/feed.js";
import { SearchForm } from "../gallery/search.js";
import { Selection } from "../gallery/selection.js";
import { ShareDialog } from "../gallery/share-dialog.js";
import { byId, readJson } from "../lib/dom.js";

/** @typedef {import("../types.js").PictureCard} PictureCard */

const API = "/api";
const list = byId("gallery", HTMLElement);
const trash = list.dataset["trash"] === "yes";
const mayEdit = list.dataset["edit"] === "yes";
const team = list.dataset["team"] ?? "";

const search = trash ? null : new SearchForm((query) => void feed.restart(placed(query)));
const feed = new Feed(API, {
  make: (picture) => makeCard(picture, { trash, mayEdit }, {
    onFavourite: (card) => void bulk.favourite([card]),
    onDelete: (card) => void bulk.trash([card]),
    onTick: (card, range) => selection.ticked(card, range),
  }),
  onChange: () => selection.refresh(),
  isSearched: () => search?.isSearched ?? false,
});
const selection = new Selection(() => feed.cards.values());
const bulk = new Bulk(API, feed, selection);
const sharing = document.getElementById("share-dialog") ? new ShareDialog(API) : null;

feed.begin(readJson("first-page"), placed(search?.query() ?? new URLSearchParams()));

bulk.offerUndo();

const doings = /** @type {Record<string, () => void>} */ ({
  favourite: () => void bulk.favourite(selection.chosen()),
  tag: () => bulk.openTags(),
  move: () => bulk.openMove(),
  share: () => sharing?.open({ pictures: selection.chosen().map((card) => card.picture.id) }),
  trash: () => void bulk.trash(selection.chosen()),
  restore: () => void bulk.restore(selection.chosen()),
  erase: () => bulk.erase(selection.chosen()),
  clear: () => selection.clear(),
});
for (const button of document.querySelectorAll("button[data-do]")) {
  const run = doings[button.getAttribute("data-do") ?? ""];
  if (run) button.addEventListener("click", run);
}

/** @param {URLSearchParams} query */
function placed(query) {
  const here = new URLSearchParams(query);
  if (team) here.set("team", team);
  if (trash) here.set("trash", "true");
  return here;
}
