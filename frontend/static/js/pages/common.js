/** What every page does: menus close when one looks away, notices can be dismissed, forms ask before harm. */

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

// Forms: a choice that is saved at once, a question before what cannot be undone, a text to copy.
document.addEventListener("change", (event) => {
  const { target } = event;
  if (target instanceof HTMLSelectElement && target.matches("[data-saves]")) target.form?.requestSubmit();
});

document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset["ask"];
  if (question && !window.confirm(question)) event.preventDefault();
});

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-copy]") : null;
  const field = button && document.getElementById(button.getAttribute("data-copy") ?? "");
  if (!button || !(field instanceof HTMLInputElement)) return;
  field.select();
  // Without TLS browsers offer no clipboard; then the text is at least selected.
  void navigator.clipboard?.writeText(field.value).then(() => (button.textContent = "Copied"));
});

export {};
