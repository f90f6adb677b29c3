/** Calls of the gateway's API, and its errors in words. */

const TOKEN_KEY = "adlens-token";
const TIMEOUT_MS = 30_000;

/** A call that was not answered as asked. The message says what happened and what to do. */
export class ApiError extends Error {
  /**
   * @param {string} message one or two sentences for the reader.
   * @param {number} status HTTP's; 0 where nothing answered.
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export const token = () => sessionStorage.getItem(TOKEN_KEY);

export const setToken = (value) => sessionStorage.setItem(TOKEN_KEY, value);

const authorization = () => (token() ? { Authorization: `Bearer ${token()}` } : {});

/** Raised for the page as a whole: the gateway wants a token, or another one. */
export const UNAUTHORIZED = "adlens-unauthorized";

/**
 * Calls the API.
 * @param {string} path below the page's own, such as "v1/status".
 * @param {Object} options `method`, `body` (sent as JSON) and `signal` (ends the call).
 * @returns the answer's JSON.
 * @throws {ApiError} what went wrong; an ended call throws AbortError, as `fetch` does.
 */
export async function call(path, { method = "GET", body, signal } = {}) {
  const response = await send(path, { method, body, signal });
  if (!response.ok) throw await refused(response);
  try {
    return await response.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(`The answer to ${path} is no JSON. Is a proxy in between?`, response.status);
  }
}

/** A picture of the API as a URL for `img`, fetched with the token; the caller revokes it. */
export async function pictureUrl(path) {
  const response = await send(path, {});
  if (!response.ok) throw await refused(response);
  return URL.createObjectURL(await response.blob());
}

export const itemPath = (itemId, below = "") => `v1/items/${encodeURIComponent(itemId)}${below}`;

async function send(path, { method, body, signal }) {
  const headers = authorization();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  try {
    return await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    const what = timeout.aborted ? "did not answer within 30 seconds" : "cannot be reached";
    throw new ApiError(`The gateway ${what}. Check that it runs, then try again.`, 0);
  }
}

async function refused(response) {
  const said = await response.json().then(
    (answer) => answer.error,
    () => null,
  );
  const wait = response.headers.get("Retry-After");
  const later = wait ? `Try again in ${wait} s.` : "Try again in a moment.";
  if (response.status === 401) window.dispatchEvent(new Event(UNAUTHORIZED));
  const words = {
    400: [said ?? "The request is wrong.", ""],
    401: ["The gateway wants an API token.", "Give it at the top of the page."],
    404: [said ?? "There is no such item.", ""],
    413: [said ?? "That is larger than the gateway takes.", "Choose a smaller picture."],
    429: ["Too many requests.", later],
    503: [said ?? "The gateway cannot answer now.", later],
    504: [said ?? "A model did not answer in time.", later],
  }[response.status] ?? [
    said ?? `The gateway answered with status ${response.status}.`,
    "Its log says more.",
  ];
  return new ApiError(words.map(sentence).join(" ").trim(), response.status);
}

const sentence = (text) => (/[\p{L}\p{N}"'’”)\]]$/u.test(text) ? `${text}.` : text);
