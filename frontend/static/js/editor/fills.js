/** Ordering fills: by the chosen model, by several at once, or as soon as the hand is off the mask. */

import { toast } from "../lib/toast.js";
import { TryAll } from "./try-all.js";

export class Fills {
  /** @param {import("./editor.js").Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.tryAll = new TryAll(editor.boot.models, (models) => this.#byEach(models));
  }

  /** Something was added to the hole and the hand is off it: with “run when I let go” the fill begins. */
  letGo() {
    const { autoRun, empty, hand } = this.editor;
    if (autoRun && !empty && !hand.pending) this.fill();
  }

  fill() {
    const { current, panel } = this.editor;
    const model = this.#readyModel();
    if (model) this.#send(`versions/${current.id}/fill`, { model: model.key, params: JSON.stringify(panel.params) });
  }

  /** The same hole by several models: which ones is asked first. */
  askToTryAll() {
    if (this.#isPainted()) this.tryAll.ask(this.editor.picture.versions);
  }

  /** @param {string[]} models keys */
  #byEach(models) {
    if (this.#isPainted()) this.#send(`versions/${this.editor.current.id}/fill-all`, { models: JSON.stringify(models) });
  }

  /**
   * @param {string} path below the API
   * @param {Record<string, string>} fields beside the mask
   */
  #send(path, fields) {
    const { run, session } = this.editor;
    const makeForm = async () => {
      const form = new FormData();
      await session.saveDraft();
      session.holdBack();
      form.set("mask", await session.file(), "mask.png");
      for (const [name, value] of Object.entries(fields)) form.set(name, value);
      return form;
    };
    void run.submit(path, makeForm, "Sending the mask");
  }

  #isPainted() {
    if (this.editor.locked) return false;
    if (this.editor.empty) toast("Paint over what should go first.");
    return !this.editor.empty;
  }

  /** @returns {import("../types.js").Model | null} the chosen model, when there is something for it to do */
  #readyModel() {
    if (!this.#isPainted()) return null;
    const { panel, run } = this.editor;
    const { problem, chosen } = panel;
    if (!problem && chosen) return chosen;
    run.fail(problem ?? "No model is offered here; the studio's operator has to add one.");
    return null;
  }
}
