/** The page of one picture: before and after, versions, what is known about them, and what people say. */

import { rememberOpened } from "../editor/version-memory.js";
import { noteThrownAway } from "../gallery/bulk.js";
import { reviewBadge } from "../gallery/cards.js";
import { ShareDialog } from "../gallery/share-dialog.js";
import { setRatio, wireCompare } from "../lib/compare.js";
import { copyText } from "../lib/copy.js";
import { byId, icon, make, readJson } from "../lib/dom.js";
import { call, sentence } from "../lib/http.js";
import { toast } from "../lib/toast.js";
import { Comments } from "../picture/comments.js";
import { factsOf, nameOf } from "../picture/facts.js";
import { Tree } from "../picture/tree.js";
import { Verdicts } from "../picture/verdicts.js";

/** @typedef {import("../types.js").Model} Model */
/** @typedef {import("../types.js").Picture} Picture */
/** @typedef {import("../types.js").Reviews} Reviews */
/** @typedef {import("../types.js").Version} Version */

const boot = /** @type {{picture: Picture, reviews: Reviews, tags: string[], favourite: boolean, me: string,
 *   commands: Record<string, string>, models: Model[], urls: {api: string, gallery: string}}} */ (readJson("boot"));
const { picture, reviews } = boot;
const api = boot.urls.api.replace(/\/$/, "");
const compare = byId("compare", HTMLElement);
/** @type {Version} */
let shown = versionOf(location.hash.match(/^#version-(.+)$/)?.[1]) ?? latest();

wireCompare(compare);
const page = { api, me: boot.me, picture, reviews, version: () => shown.id };
const tree = new Tree((version) => show(version));
const verdicts = new Verdicts(page, () => {
  tree.show(picture.versions, shown.id, reviews);
  showStanding();
});
new Comments(page, (id) => {
  const version = versionOf(id);
  if (version) show(version);
  compare.scrollIntoView({ block: "nearest", behavior: "smooth" });
});
const sharing = document.getElementById("share-dialog") ? new ShareDialog(api) : null;
tree.show(picture.versions, shown.id, reviews);
show(shown);
showTags();
showFavourite();
offerVote();

onClick("edit-again", () => {
  rememberOpened(picture.id, shown.id);
  window.location.assign(picture.edit_url);
});
onClick("share", () => sharing?.open({ pictures: [picture.id] }));
onClick("share-version", () => sharing?.open({ pictures: [picture.id], version: shown.id }));
onClick("copy-command", () => void copyText(boot.commands[shown.id] ?? ""));
onClick("favourite", () => void toggleFavourite());
onClick("trash", () => void throwAway());
onClick("rename", () => {
  byId("rename-field", HTMLInputElement).value = picture.title;
  byId("rename-dialog", HTMLDialogElement).showModal();
});
for (const button of document.querySelectorAll("#rename-dialog [data-close]")) {
  button.addEventListener("click", () => byId("rename-dialog", HTMLDialogElement).close());
}
document.getElementById("rename-form")?.addEventListener("submit", (event) => {
  event.preventDefault();
  void rename();
});
byId("rerun", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  void runAgain();
});

/** @param {Version} version */
function show(version) {
  shown = version;
  const before = versionOf(version.parent ?? undefined);
  const after = byId("after", HTMLImageElement);
  after.src = version.display_url;
  after.alt = before ? `${picture.title}, version by ${nameOf(version)}` : `${picture.title}, the original`;
  const other = byId("before", HTMLImageElement);
  compare.classList.toggle("is-single", before === null);
  if (before) {
    other.src = before.display_url;
    other.alt = `The same before`;
  } else {
    other.removeAttribute("src");
    other.alt = "";
  }
  setRatio(compare, version.width, version.height);
  tree.mark(version.id);
  byId("facts-title", HTMLElement).textContent = `${picture.versions.indexOf(version) + 1}. ${nameOf(version)}`;
  byId("facts-list", HTMLElement).replaceChildren(...factsOf(version, reviews));
  byId("download", HTMLAnchorElement).href = version.download_url;
  const command = boot.commands[version.id] ?? "";
  byId("command-part", HTMLElement).hidden = !command;
  byId("command", HTMLElement).textContent = command;
  showRerun(version);
  showStanding();
}

function showStanding() {
  const verdict = reviews.verdicts.find((each) => each.version === shown.id);
  const badge = verdict ? reviewBadge(verdict.state) : null;
  byId("facts-standing", HTMLElement).replaceChildren(...(badge ? [badge] : []));
  verdicts.show();
}

/** @param {Version} version */
function showRerun(version) {
  const others = boot.models.filter((model) => model.key !== version.model);
  byId("rerun", HTMLFormElement).hidden = !picture.may.edit || !version.model || !version.mask_url || others.length === 0;
  byId("rerun-model", HTMLSelectElement).replaceChildren(
    ...others.map((model) => make("option", { value: model.key }, model.title)),
  );
}

function showTags() {
  byId("tags", HTMLElement).replaceChildren(
    ...boot.tags.map((tag) =>
      make("li", {}, make("a", { class: "chip", href: `${boot.urls.gallery}?tag=${encodeURIComponent(tag)}` }, icon("tag"), tag)),
    ),
  );
}

function showFavourite() {
  const button = byId("favourite", HTMLButtonElement);
  button.setAttribute("aria-pressed", String(boot.favourite));
  button.replaceChildren(icon(boot.favourite ? "star-full" : "star"));
}

/** A vote needs two results of one hole by different models. */
function offerVote() {
  const link = document.getElementById("vote");
  /** @type {Map<string, Set<string>>} */
  const holes = new Map();
  for (const version of picture.versions) {
    if (!version.mask_url) continue;
    const hole = `${version.parent} ${version.mask_url}`;
    holes.set(hole, (holes.get(hole) ?? new Set()).add(version.model));
  }
  if (link) link.hidden = ![...holes.values()].some((models) => models.size > 1);
}

async function toggleFavourite() {
  await attempt(async () => {
    const favourite = !boot.favourite;
    await call(`${api}/pictures/favourite`, { method: "POST", body: { pictures: [picture.id], favourite } });
    boot.favourite = favourite;
    showFavourite();
  });
}

async function throwAway() {
  await attempt(async () => {
    await call(`${api}/pictures/${picture.id}`, { method: "DELETE" });
    noteThrownAway(picture);
    window.location.assign(boot.urls.gallery);
  });
}

async function rename() {
  const error = byId("rename-error", HTMLElement);
  error.textContent = "";
  try {
    const title = byId("rename-field", HTMLInputElement).value;
    const changed = await call(`${api}/pictures/${picture.id}`, { method: "PATCH", body: { title } });
    picture.title = changed.title;
    byId("title", HTMLElement).textContent = picture.title;
    document.title = `${picture.title} · Reweave`;
    byId("rename-dialog", HTMLDialogElement).close();
  } catch (problem) {
    error.textContent = sentence(problem);
  }
}

async function runAgain() {
  await attempt(async () => {
    const model = byId("rerun-model", HTMLSelectElement).value;
    await call(`${api}/versions/${shown.id}/rerun`, { method: "POST", body: { model } });
    // The editor shows how it comes along, and the result when it is there.
    if (shown.parent) rememberOpened(picture.id, shown.parent);
    window.location.assign(picture.edit_url);
  });
}

/** @param {() => Promise<void>} doing */
async function attempt(doing) {
  try {
    await doing();
  } catch (error) {
    toast(sentence(error), "error");
  }
}

/**
 * @param {string} id
 * @param {() => void} run
 */
function onClick(id, run) {
  document.getElementById(id)?.addEventListener("click", run);
}

/** @returns {Version} */
function latest() {
  const version = picture.versions[picture.versions.length - 1];
  if (!version) throw new Error("A picture without versions has no page.");
  return version;
}

/**
 * @param {string | undefined} id
 * @returns {Version | null}
 */
function versionOf(id) {
  return picture.versions.find((version) => version.id === id) ?? null;
}
