/** The way of a new item, step by step, with the seconds since it was sent. */

import { call, itemPath } from "./api.js";
import { announce, element, notice, seconds } from "./dom.js";

const STEPS = [
  ["queued", "Queued", "kept in the queue and the item store"],
  ["encoded", "Encoded", "its vectors are in the embedding index"],
  ["searchable", "Searchable", "“similar” finds it"],
  ["recallable", "Recallable", "“recommend” may return it"],
];
const POLL_MS = 150;
const DEAD_LETTERS_AFTER_MS = 2000;
const GIVE_UP_AFTER_MS = 60_000;

export class Track {
  #ending = new AbortController();
  #reached = new Set();
  #lookedForDeadLetter = 0;

  /**
   * @param {string} itemId the item.
   * @param {{sent: number, introducedAt: number} | null} put when it was sent, in milliseconds of this clock,
   *   and introduced, in seconds of the gateway's; null if that is not known.
   * @param {Object} on `known(item)`, `searchable()`, `done()` once all steps are reached, `failed(error)`.
   */
  constructor(itemId, put, on) {
    Object.assign(this, { itemId, on, sent: put?.sent ?? null, introducedAt: put?.introducedAt ?? 0 });
    this.steps = new Map(STEPS.map(([key, name, hint]) => [key, step(name, hint)]));
    this.list = element(
      "ol",
      { class: "track", "aria-label": `The way of ${itemId}` },
      ...this.steps.values(),
    );
    this.message = element("div");
    this.node = element("div", {}, this.list, this.message);
  }

  /** Whether every step is reached. */
  get isDone() {
    return this.#reached.size === STEPS.length;
  }

  start() {
    this.begun = Date.now();
    this.message.replaceChildren();
    this.#follow(this.#ending.signal).catch((error) => {
      if (!this.#ending.signal.aborted) this.on.failed(error);
    });
  }

  stop() {
    this.#ending.abort();
  }

  async #follow(signal) {
    this.#reach("queued");
    while (!signal.aborted) {
      const item = await call(itemPath(this.itemId), { signal });
      this.on.known(item);
      this.#look(item);
      if (this.isDone) return this.on.done();
      if (!this.#reached.has("encoded") && (await this.#isDead(signal))) return;
      if (Date.now() - this.begun > GIVE_UP_AFTER_MS) return this.#pause();
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  #look({ modalities, searchable, recallable }) {
    if (!Object.values(modalities).includes("waiting")) this.#reach("encoded");
    if (searchable) this.#reach("searchable");
    if (recallable) this.#reach("recallable");
    this.#tick();
  }

  #reach(key) {
    if (this.#reached.has(key)) return;
    this.#reached.add(key);
    const made = this.steps.get(key);
    const after = this.sent === null ? "done" : seconds((Date.now() - this.sent) / 1000);
    made.classList.add("reached");
    made.querySelector("b").textContent = after;
    if (key !== "queued")
      announce(`${this.itemId} is ${key}${this.sent === null ? "" : `, after ${after}`}.`);
    if (key === "searchable") this.on.searchable();
  }

  /** Shows at the first step that is not reached how long it has taken. */
  #tick() {
    const [next] = [...this.steps].filter(([key]) => !this.#reached.has(key));
    if (next && this.sent !== null)
      next[1].querySelector("b").textContent = `${seconds((Date.now() - this.sent) / 1000)} …`;
  }

  /** Whether the item was given up; then says why. */
  async #isDead(signal) {
    const now = Date.now();
    if (now - Math.max(this.begun, this.#lookedForDeadLetter) < DEAD_LETTERS_AFTER_MS) return false;
    this.#lookedForDeadLetter = now;
    const { dead_letters: letters } = await call("v1/dead-letters?limit=100", { signal });
    const letter = letters.find(
      (one) => one.item_id === this.itemId && one.introduced_at >= this.introducedAt,
    );
    if (!letter) return false;
    this.steps.get("encoded").classList.add("failed");
    this.steps.get("encoded").querySelector("b").textContent = "failed";
    this.message.replaceChildren(
      notice(
        "bad",
        element("p", {}, `It cannot be encoded: ${letter.reason}.`),
        element("p", {}, "Choose another picture or title, then add the item again."),
      ),
    );
    return true;
  }

  #pause() {
    const again = element("button", { type: "button", onclick: () => this.start() }, "Keep watching");
    this.message.replaceChildren(
      notice(
        "warn",
        element("p", {}, "It is not through after a minute. Check that the encoder service runs."),
        again,
      ),
    );
  }
}

function step(name, hint) {
  return element(
    "li",
    {},
    element("span", { class: "name" }, name),
    element("b", {}, "–"),
    element("span", { class: "hint" }, hint),
  );
}
