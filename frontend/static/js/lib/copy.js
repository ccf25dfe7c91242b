/** Put text on the clipboard, and say so. */

import { toast } from "./toast.js";

/**
 * @param {string} text
 * @returns {Promise<void>}
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.", "success");
  } catch {
    // Without TLS (a studio in the local network) browsers have no clipboard for pages: select it the old way.
    toast("This browser does not let the page copy. Select the text and copy it yourself.", "error");
  }
}
