/** The start page: photos come by drop, paste or choice, or from the samples. */

import { wireCompare } from "../lib/compare.js";
import { byId, icon, make } from "../lib/dom.js";
import { fileSize } from "../lib/format.js";
import { call, sentence, upload } from "../lib/http.js";

/** @typedef {import("../types.js").Picture} Picture */

const API = "/api";
const zone = byId("dropzone", HTMLElement);
const idle = byId("dropzone-idle", HTMLElement);
const busy = byId("dropzone-busy", HTMLElement);
const list = byId("uploads", HTMLElement);
const errors = byId("upload-errors", HTMLElement);
const input = byId("file-input", HTMLInputElement);
const limits = /** @type {{max_bytes: number}} */ (JSON.parse(byId("limits", HTMLScriptElement).textContent ?? "{}"));
/** The team that gets the photos; empty for one's own pictures. */
const team = zone.dataset.team ?? "";
let working = false;
let depth = 0;

input.addEventListener("change", () => {
  void take([...(input.files ?? [])]);
});

document.addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length > 0) {
    event.preventDefault();
    void take(files);
  }
});

// The whole page takes drops: a photo let go beside the zone would otherwise replace the page.
document.addEventListener("dragenter", (event) => {
  depth += 1;
  if (event.dataTransfer?.types.includes("Files")) zone.classList.add("is-over");
});
document.addEventListener("dragleave", () => {
  depth = Math.max(0, depth - 1);
  if (depth === 0) zone.classList.remove("is-over");
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  if (event.dataTransfer) event.dataTransfer.dropEffect = working ? "none" : "copy";
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  depth = 0;
  zone.classList.remove("is-over");
  const files = [...(event.dataTransfer?.files ?? [])];
  if (files.length > 0) void take(files);
  else complain("What was dropped holds no file. Save the picture first, then drop the file.");
});

for (const button of document.querySelectorAll("button[data-sample]")) {
  button.addEventListener("click", () => void takeSample(/** @type {HTMLButtonElement} */ (button)));
}

const demo = document.querySelector("[data-compare]");
if (demo instanceof HTMLElement) wireCompare(demo);

// Coming back by the browser's own button must not show a page that is still busy.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) reset();
});

/** @param {File[]} files */
async function take(files) {
  if (working || files.length === 0) return;
  errors.replaceChildren();
  begin();
  const rows = files.map((file) => row(file.name || "Pasted photo"));
  /** @type {Picture[]} */
  const made = [];
  let failed = 0;
  for (const [i, file] of files.entries()) {
    const line = /** @type {ReturnType<typeof row>} */ (rows[i]);
    try {
      if (file.size > limits.max_bytes) {
        throw new TooLarge(`It is ${fileSize(file.size)}; this studio takes up to ${fileSize(limits.max_bytes)}.`);
      }
      const form = new FormData();
      form.set("file", file, file.name || "photo.png");
      if (team) form.set("team", team);
      made.push(await upload(`${API}/pictures`, form, line.progress));
      line.done();
    } catch (error) {
      failed += 1;
      line.element.remove();
      complain(`“${file.name}”: ${error instanceof TooLarge ? error.message : sentence(error)}`);
    }
  }
  input.value = "";
  const first = made[0];
  if (first && failed === 0) {
    window.location.assign(made.length === 1 ? first.edit_url : (zone.dataset.pictures ?? first.edit_url));
    return;
  }
  if (first) {
    errors.append(
      make("p", { class: "alert" }, icon("check"), make("span", {}, `${made.length} of ${files.length} photos are in. `, make("a", { href: zone.dataset.pictures ?? first.edit_url }, "See them"))),
    );
  }
  reset();
}

/** @param {HTMLButtonElement} button */
async function takeSample(button) {
  if (working) return;
  errors.replaceChildren();
  working = true;
  button.setAttribute("aria-busy", "true");
  try {
    const picture = /** @type {Picture} */ (
      await call(`${API}/pictures/sample`, { method: "POST", body: { name: button.dataset.sample, team: team || null } })
    );
    window.location.assign(picture.edit_url);
  } catch (error) {
    complain(sentence(error));
    reset();
  }
}

class TooLarge extends Error {}

function begin() {
  working = true;
  zone.classList.add("is-busy");
  idle.hidden = true;
  busy.hidden = false;
  list.replaceChildren();
}

function reset() {
  working = false;
  zone.classList.remove("is-busy");
  idle.hidden = false;
  busy.hidden = true;
  for (const button of document.querySelectorAll("button[data-sample]")) button.removeAttribute("aria-busy");
}

/** @param {string} name */
function row(name) {
  const state = make("span", { class: "upload__state" }, "waiting");
  const bar = make("div", { class: "sewing", role: "progressbar", "aria-label": name, "aria-valuemin": 0, "aria-valuemax": 100 });
  const element = make("li", { class: "upload" }, make("span", { class: "upload__name" }, name), state, bar);
  list.append(element);
  return {
    element,
    /** @param {number} fraction */
    progress: (fraction) => {
      bar.style.setProperty("--sewn", String(fraction));
      bar.setAttribute("aria-valuenow", String(Math.round(fraction * 100)));
      state.textContent = fraction < 1 ? `${Math.round(fraction * 100)} %` : "checking the photo";
    },
    done: () => {
      state.textContent = "done";
    },
  };
}

/** @param {string} text */
function complain(text) {
  errors.append(make("p", { class: "alert alert--error" }, icon("warning"), make("span", {}, text)));
}
