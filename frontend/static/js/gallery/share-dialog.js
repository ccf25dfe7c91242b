/** Make a link: the same dialog for a selection and for one version. */

import { byId } from "../lib/dom.js";
import { call, sentence } from "../lib/http.js";
import { copyText } from "../lib/copy.js";

/** @typedef {{url: string, embed_url: string | null}} NewShare */

export class ShareDialog {
  /** @param {string} api */
  constructor(api) {
    this.api = api;
    this.dialog = byId("share-dialog", HTMLDialogElement);
    this.form = byId("share-form", HTMLFormElement);
    this.done = byId("share-done", HTMLElement);
    this.error = byId("share-error", HTMLElement);
    /** @type {{pictures: string[], version?: string}} */
    this.what = { pictures: [] };
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#make();
    });
    for (const button of this.dialog.querySelectorAll("[data-close]")) {
      button.addEventListener("click", () => this.dialog.close());
    }
    for (const button of this.dialog.querySelectorAll("[data-copy]")) {
      const field = byId(button.getAttribute("data-copy") ?? "", HTMLInputElement);
      button.addEventListener("click", () => void copyText(field.value));
      field.addEventListener("focus", () => field.select());
    }
  }

  /** @param {{pictures: string[], version?: string}} what */
  open(what) {
    this.what = what;
    this.form.reset();
    this.form.hidden = false;
    this.done.hidden = true;
    this.error.textContent = "";
    this.dialog.showModal();
  }

  async #make() {
    const values = new FormData(this.form);
    const days = String(values.get("days"));
    this.error.textContent = "";
    try {
      const made = /** @type {NewShare} */ (
        await call(`${this.api}/shares`, {
          method: "POST",
          body: {
            ...this.what,
            title: values.get("title"),
            days: days ? Number(days) : null,
            password: values.get("password"),
            allow_download: values.get("allow_download") !== null,
          },
        })
      );
      this.form.hidden = true;
      this.done.hidden = false;
      const url = byId("share-url", HTMLInputElement);
      url.value = made.url;
      byId("share-embed-field", HTMLElement).hidden = made.embed_url === null;
      byId("share-embed", HTMLInputElement).value = made.embed_url === null ? "" : frameOf(made.embed_url);
      url.focus();
    } catch (error) {
      this.error.textContent = sentence(error);
    }
  }
}

/**
 * @param {string} url
 * @returns {string} what goes into the other page
 */
export function frameOf(url) {
  const safe = url.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  return `<iframe src="${safe}" title="Before and after" width="640" height="480" loading="lazy" style="border:0;max-width:100%"></iframe>`;
}
