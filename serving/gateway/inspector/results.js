/** The place of a view's results: busy, an error in words, or what came; outdated calls are ended. */

import { ApiError } from "./api.js";
import { announce, element, notice } from "./dom.js";

export class Results {
  #latest = new AbortController();

  /** @param {HTMLElement} place the element that holds the results. */
  constructor(place) {
    this.place = place;
  }

  /**
   * Runs a call in place of the one before, and shows what it makes or why it failed.
   * @param {(signal: AbortSignal) => Promise<Node[]>} work asks the gateway and makes the results.
   */
  async run(work) {
    this.#latest.abort();
    const { signal } = (this.#latest = new AbortController());
    this.place.setAttribute("aria-busy", "true");
    try {
      const made = await work(signal);
      if (!signal.aborted) this.show(...made);
    } catch (error) {
      if (!signal.aborted) this.fail(error, () => this.run(work));
    }
  }

  /** Ends what runs and shows these nodes. A focus in the old ones goes on to the heading of the new ones. */
  show(...nodes) {
    this.#latest.abort();
    const hadFocus = this.place.contains(document.activeElement);
    this.place.removeAttribute("aria-busy");
    this.place.replaceChildren(...nodes);
    const heading = hadFocus && this.place.querySelector("h2");
    if (!heading) return;
    heading.tabIndex = -1;
    heading.focus();
  }

  /** Shows an error in words, with a button where trying again may help. */
  fail(error, again) {
    if (!(error instanceof ApiError)) console.error(error);
    this.show(failure(error, again));
    announce("");
  }
}

/** An error as a notice; a wrong request is not tried again as it is. */
export function failure(error, again) {
  const known = error instanceof ApiError;
  const words = known ? error.message : "This page failed. Its console says why; reload it.";
  const retry = known && ![400, 401, 404, 413].includes(error.status);
  return notice(
    "bad",
    element("p", {}, words),
    retry ? element("button", { type: "button", onclick: again }, "Try again") : null,
  );
}
