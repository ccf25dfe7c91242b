/** Staff's pages: parts that are asked for again, choices that survive it, times that go on. */

/** @type {Set<string>} ids of the jobs that are ticked; a part that is swapped in gets its ticks back */
const chosen = new Set();

/**
 * @param {number} seconds
 * @returns {string} “12 s”, “3 min”, “2 h”, “4 d”
 */
export function shortAge(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/** Write how long ago each moment was. */
function tellTimes() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const at = Date.parse(time.getAttribute("datetime") ?? "");
    const text = `${shortAge((now - at) / 1000)} ago`;
    if (!Number.isNaN(at) && time.textContent !== text) time.textContent = text;
  }
}

/** @returns {HTMLInputElement[]} */
function ticks() {
  return [...document.querySelectorAll("input[data-tick]")].filter((tick) => tick instanceof HTMLInputElement);
}

/** Bring the boxes, the box for all and the count in line with what is chosen. */
function showChosen() {
  const all = ticks();
  const here = new Set(all.map((tick) => tick.value));
  for (const id of chosen) if (!here.has(id)) chosen.delete(id);
  for (const tick of all) tick.checked = chosen.has(tick.value);
  const everything = document.querySelector("input[data-tick-all]");
  if (everything instanceof HTMLInputElement) {
    everything.checked = all.length > 0 && chosen.size === all.length;
    everything.indeterminate = chosen.size > 0 && chosen.size < all.length;
  }
  const count = document.getElementById("chosen-count");
  if (!count) return;
  const text = chosen.size ? `${chosen.size} ${chosen.size === 1 ? "job" : "jobs"} chosen` : "Tick jobs to change them";
  if (count.textContent !== text) count.textContent = text;
  document.getElementById("ops-actions")?.classList.toggle("is-ready", chosen.size > 0);
}

document.addEventListener("change", (event) => {
  const target = event.target;
  if (target instanceof HTMLSelectElement && target.matches("[data-submits]")) target.form?.requestSubmit();
  if (!(target instanceof HTMLInputElement)) return;
  if (target.matches("[data-tick]")) {
    if (target.checked) chosen.add(target.value);
    else chosen.delete(target.value);
  } else if (target.matches("[data-tick-all]")) {
    for (const tick of ticks()) {
      if (target.checked) chosen.add(tick.value);
      else chosen.delete(tick.value);
    }
  } else return;
  showChosen();
});

document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset["confirm"];
  if (question && !window.confirm(question)) event.preventDefault();
});

document.addEventListener("htmx:afterSwap", () => {
  tellTimes();
  showChosen();
});

for (const part of document.querySelectorAll("[data-live]")) {
  const every = Number(part.getAttribute("data-live"));
  // A tab that nobody looks at asks for nothing; coming back to it asks at once.
  setInterval(() => document.hidden || part.dispatchEvent(new CustomEvent("refresh")), every);
  document.addEventListener("visibilitychange", () => document.hidden || part.dispatchEvent(new CustomEvent("refresh")));
}

for (const tick of ticks()) if (tick.checked) chosen.add(tick.value);
showChosen();
tellTimes();
setInterval(tellTimes, 1000);
