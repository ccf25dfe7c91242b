/** What every page does: menus close when one looks away, notices can be dismissed. */

for (const toast of document.querySelectorAll("[data-toast]")) {
  toast.querySelector("[data-dismiss]")?.addEventListener("click", () => toast.remove());
  if (!toast.classList.contains("toast--error")) setTimeout(() => toast.remove(), 8000);
}

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    const inside = event.target instanceof Node && menu.contains(event.target);
    const chosen = event.target instanceof Element && event.target.closest(".menu__list a, .menu__list button");
    if (!inside || chosen) menu.removeAttribute("open");
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    menu.removeAttribute("open");
    if (menu.contains(document.activeElement)) menu.querySelector("summary")?.focus();
  }
});

export {};
