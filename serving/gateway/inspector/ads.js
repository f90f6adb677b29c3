/** Ranked ads: the list, an ad's row, and what the answer did without. */

import { count, decimal, element, notice, ordinal, percent } from "./dom.js";
import { explanation } from "./explanation.js";
import { addButton, bar, meta, titleOf } from "./items.js";
import { picture } from "./pictures.js";
import { hash } from "./route.js";

const DEGRADED = {
  ranking: "The click model did not answer: the ads are in recall’s order, without probabilities.",
  reorder: "The recall model did not reorder: the ads were chosen by the index’s scores.",
  embeddings: "The embedding index did not answer: the ads are scored without pictures and titles.",
  items: "The item store did not answer: titles, categories and shops are missing.",
};

/** A notice of what the answer did without; null where it lacked nothing. */
export function degradedNotice(degraded) {
  if (!degraded.length) return null;
  return notice(
    "warn",
    element("p", {}, element("b", {}, "This answer is degraded.")),
    element("ul", {}, ...degraded.map((part) => element("li", {}, DEGRADED[part] ?? `Without ${part}.`))),
    element("p", {}, "Rank again once that part answers. The gateway’s log says what it met."),
  );
}

/**
 * The ads as a ranked list.
 * @param {Object} answer of `v1/recommend`.
 * @param {Object[]} behaviors those of the request.
 * @param {Object} options `addBehavior(item)`; `open`, the id of the open ad; `toggled(itemId, isOpen)`.
 */
export function adList(answer, behaviors, { addBehavior, open, toggled }) {
  const most = Math.max(...answer.ads.map((ad) => ad.score ?? 0), 1e-12);
  return element(
    "div",
    { class: "ads" },
    element(
      "div",
      { class: "columns", "aria-hidden": "true" },
      ...["Rank", "", "Ad", "Probability", "Recall score", "Recall rank"].map((name) =>
        element("span", {}, name),
      ),
    ),
    element(
      "ol",
      {},
      ...answer.ads.map((ad) =>
        adRow(ad, most, behaviors, { addBehavior, open: ad.item_id === open, toggled }),
      ),
    ),
  );
}

/** An ad: where it stands, what it is, how it was scored and, opened, why. */
export function adRow(ad, most, behaviors, { addBehavior, open, toggled = () => {} }) {
  const id = `why-${++numbered}`;
  const why = ad.why ? element("div", { class: "why", id, hidden: true }) : null;
  const button =
    why &&
    element(
      "button",
      {
        type: "button",
        class: "quiet",
        "aria-controls": id,
        "aria-label": `Why ${titleOf(ad)}`,
        onclick: () => toggle(!isOpen()),
      },
      "Why",
    );
  const isOpen = () => !why.hidden;

  function toggle(opened, told = true) {
    if (opened && !why.hasChildNodes()) why.append(...explanation(ad, behaviors));
    why.hidden = !opened;
    button.setAttribute("aria-expanded", String(opened));
    if (told) toggled(ad.item_id, opened);
  }

  const row = element(
    "li",
    { class: "ad" },
    element("span", { class: "rank" }, ad.rank == null ? "–" : count(ad.rank)),
    picture(ad, 64),
    element(
      "div",
      { class: "what" },
      element("h3", {}, titleOf(ad)),
      meta(ad),
      element(
        "p",
        { class: "actions" },
        button,
        element(
          "a",
          {
            class: "quiet",
            href: hash("similar", { item: ad.item_id }),
            "aria-label": `Items similar to ${titleOf(ad)}`,
          },
          "Similar",
        ),
        addButton(ad, addBehavior),
        ad.also_ranked ? element("span", { class: "chip accent" }, "asked for") : null,
      ),
    ),
    element(
      "dl",
      { class: "scores" },
      ...score(
        "Probability",
        ad.score === null ? "–" : percent(ad.score),
        ad.score === null ? null : bar(ad.score / most),
      ),
      ...score("Recall score", ad.recall_score === null ? "–" : decimal(ad.recall_score)),
      ...score("Recall rank", ad.recall_rank == null ? "not recalled" : ordinal(ad.recall_rank), move(ad)),
    ),
    why,
  );
  if (why) toggle(Boolean(open), false);
  return row;
}

let numbered = 0;

const score = (name, value, more = null) => [element("dt", {}, name), element("dd", {}, value, more)];

/** How many places ranking moved an ad from where recall had it. */
function move({ rank, recall_rank: before }) {
  if (rank == null || before == null || rank === before) return null;
  const places = Math.abs(before - rank);
  const [kind, arrow, word] = rank < before ? ["up", "▲", "up"] : ["down", "▼", "down"];
  return element(
    "span",
    { class: `move ${kind}`, title: `Ranking moved it ${word} by ${places}` },
    `${arrow} ${count(places)}`,
  );
}

/** Versions and timings, small. */
export function adFacts({ versions, timings_ms: timings }) {
  const parts = Object.entries(timings).filter(([, time]) => time !== null);
  const total = parts.reduce((sum, [, time]) => sum + time, 0);
  return element(
    "dl",
    { class: "facts" },
    element("dt", {}, "Time"),
    element(
      "dd",
      {},
      element("b", {}, `${total.toFixed(1)} ms`),
      ...parts.map(([name, time]) => element("span", {}, `${name} ${time.toFixed(1)}`)),
    ),
    element("dt", {}, "Versions"),
    element(
      "dd",
      {},
      ...Object.entries(versions).map(([name, version]) =>
        element("span", {}, `${name.replace("_", " ")} ${version}`),
      ),
    ),
  );
}
