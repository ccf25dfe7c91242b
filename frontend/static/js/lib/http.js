/** Calls to the REST API. Every failure becomes an `ApiError` whose message is a sentence for people. */

const OFFLINE = "The studio cannot be reached. Check the connection and try again.";

/** A refused or failed call. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {string} code stable, machine-readable
   * @param {number} status HTTP status; 0 when there was no answer
   */
  constructor(message, code, status) {
    super(message);
    this.name = "ApiError";
    this.code = code;
    this.status = status;
  }
}

/**
 * The token Django wants with unsafe requests. The cookie comes first: it changes when a guest gets a session, while
 * the one in the page stays what it was.
 *
 * @returns {string}
 */
export function csrfToken() {
  const cookie = document.cookie.split("; ").find((item) => item.startsWith("csrftoken="));
  if (cookie) return decodeURIComponent(cookie.slice("csrftoken=".length));
  return document.querySelector("meta[name=csrf-token]")?.getAttribute("content") ?? "";
}

/**
 * @param {number} status
 * @param {string} text body of the answer
 * @returns {ApiError}
 */
export function errorFrom(status, text) {
  try {
    const body = JSON.parse(text);
    if (typeof body.message === "string") return new ApiError(body.message, String(body.code ?? "error"), status);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const sentences = /** @type {Record<number, string>} */ ({
    401: "You are not signed in any more. Reload the page and sign in.",
    403: "That was refused. Reload the page and try again.",
    404: "That is not there any more.",
    413: "That file is too large for this studio.",
    429: "That was a little too fast. Wait a moment and try again.",
    502: "The studio is starting or too busy. Try again in a moment.",
    503: "The studio is starting or too busy. Try again in a moment.",
  });
  return new ApiError(sentences[status] ?? `The studio could not do that (error ${status}).`, "error", status);
}

/**
 * @param {string} url
 * @param {{method?: string, body?: FormData | object | null, signal?: AbortSignal}} [options] objects go as JSON
 * @returns {Promise<any>} the answer's JSON, or null when it has no body
 */
export async function call(url, { method = "GET", body = null, signal } = {}) {
  const headers = /** @type {Record<string, string>} */ ({ Accept: "application/json" });
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  let payload = /** @type {BodyInit | null} */ (null);
  if (body instanceof FormData) payload = body;
  else if (body) {
    headers["Content-Type"] = "application/json";
    payload = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(url, { method, headers, body: payload, signal: signal ?? null, credentials: "same-origin" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(OFFLINE, "offline", 0);
  }
  const text = await response.text();
  if (!response.ok) throw errorFrom(response.status, text);
  return text ? JSON.parse(text) : null;
}

/**
 * Send a file with progress, which `fetch` cannot report.
 *
 * @param {string} url
 * @param {FormData} form
 * @param {(fraction: number) => void} onProgress 0 to 1 of the bytes sent
 * @returns {Promise<any>}
 */
export function upload(url, form, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", csrfToken());
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("error", () => reject(new ApiError(OFFLINE, "offline", 0)));
    request.addEventListener("load", () => {
      if (request.status < 200 || request.status >= 300) reject(errorFrom(request.status, request.responseText));
      else resolve(JSON.parse(request.responseText));
    });
    request.send(form);
  });
}

/**
 * @param {unknown} error
 * @returns {string} what to tell people about it
 */
export function sentence(error) {
  if (error instanceof ApiError) return error.message;
  console.error(error);
  return "Something unexpected went wrong in this page. Reload it; your pictures are safe.";
}
