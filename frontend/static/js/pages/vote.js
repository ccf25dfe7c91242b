/** Blind votes: two results without names, one choice, then the names. */

import { isTyping } from "../editor/actions.js";
import { byId, readJson } from "../lib/dom.js";
import { call, sentence } from "../lib/http.js";

/** @typedef {{id: string, title: string, width: number, height: number, before_url: string, mask_url: string,
 *   first_url: string, second_url: string}} Ballot */
/** @typedef {{choice: "first" | "second" | "neither", first: string, second: string}} Revealed */

const boot = /** @type {{api: string, team: string | null, picture: string | null}} */ (readJson("boot"));
const api = boot.api.replace(/\/$/, "");
const section = byId("ballot", HTMLElement);
const status = byId("vote-status", HTMLElement);
const next = byId("next", HTMLButtonElement);
const peek = byId("peek", HTMLButtonElement);
const sides = /** @type {const} */ (["first", "second"]);
const choices = [...document.querySelectorAll("button[data-choice]")].filter((each) => each instanceof HTMLButtonElement);
/** @type {Ballot | null} */
let ballot = null;
let cast = false;

for (const button of choices) button.addEventListener("click", () => void choose(button.dataset["choice"] ?? ""));
next.addEventListener("click", () => void draw());
peek.addEventListener("click", () => showBefore(peek.getAttribute("aria-pressed") !== "true"));
document.addEventListener("keydown", (event) => {
  if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
  const choice = /** @type {Record<string, string>} */ ({ 1: "first", 2: "second", 0: "neither" })[event.key];
  if (choice) void choose(choice);
  else if (event.key.toLowerCase() === "b" && ballot) showBefore(peek.getAttribute("aria-pressed") !== "true");
});
void draw();

async function draw() {
  status.textContent = "Looking for a pair…";
  next.hidden = true;
  try {
    ballot = /** @type {Ballot | null} */ (
      await call(`${api}/ballots`, { method: "POST", body: { team: boot.picture ? null : boot.team, picture: boot.picture } })
    );
  } catch (error) {
    status.textContent = sentence(error);
    return;
  }
  cast = false;
  status.textContent = "";
  section.hidden = ballot === null;
  byId("no-ballot", HTMLElement).hidden = ballot !== null;
  if (!ballot) return;
  byId("ballot-title", HTMLElement).textContent = `Two results for “${ballot.title}”`;
  for (const side of sides) {
    byId(`model-${side}`, HTMLElement).textContent = "";
    byId(`side-${side}`, HTMLElement).classList.remove("is-better");
    const image = byId(`picture-${side}`, HTMLImageElement);
    image.width = ballot.width;
    image.height = ballot.height;
  }
  for (const button of choices) button.disabled = false;
  showBefore(false);
}

/** @param {string} choice */
async function choose(choice) {
  if (!ballot || cast) return;
  cast = true;
  for (const button of choices) button.disabled = true;
  try {
    const revealed = /** @type {Revealed} */ (await call(`${api}/ballots/${ballot.id}`, { method: "POST", body: { choice } }));
    for (const side of sides) {
      byId(`model-${side}`, HTMLElement).textContent = revealed[side];
      byId(`side-${side}`, HTMLElement).classList.toggle("is-better", revealed.choice === side);
    }
    const won = revealed.choice === "neither" ? "No difference" : `You chose ${revealed[revealed.choice]}`;
    status.textContent = `${won}: ${revealed.first} on the first side, ${revealed.second} on the second.`;
    next.hidden = false;
    next.focus();
  } catch (error) {
    cast = false;
    for (const button of choices) button.disabled = false;
    status.textContent = sentence(error);
  }
}

/** @param {boolean} on show the photo as it was, with the hole on it */
function showBefore(on) {
  if (!ballot) return;
  peek.setAttribute("aria-pressed", String(on));
  byId("picture-first", HTMLImageElement).src = on ? ballot.before_url : ballot.first_url;
  byId("picture-second", HTMLImageElement).src = on ? ballot.mask_url : ballot.second_url;
}
