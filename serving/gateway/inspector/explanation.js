/** Why an ad was scored as it was: its content against each behavior. */

import { count, decimal, element, plural } from "./dom.js";
import { picture } from "./pictures.js";

const NAMES = { image: "Pictures", text: "Titles" };
const SOURCES = {
  index: "The ad’s vector came from the embedding index.",
  model: "The index has no vector of the ad; the click model used the one it was saved with, if it has one.",
  none: "The ad has no such content, so it was scored without.",
};

/**
 * One part a modality.
 * @param {Object} ad with `why`.
 * @param {Object[]} behaviors those of the request, in its order.
 * @returns {Node[]}
 */
export function explanation({ why }, behaviors) {
  return Object.entries(NAMES)
    .filter(([modality]) => why.content[modality])
    .map(([modality, name]) => {
      const similarities = why.similarities[modality] ?? [];
      const source = element("p", { class: "hint" }, SOURCES[why.content[modality]]);
      const compared = similarities.some((one) => one !== null)
        ? [histogram(why.tiers[modality], name), behaviorBars(similarities, behaviors)]
        : [
            element(
              "p",
              { class: "empty" },
              "No behavior could be compared: the ad or all of them have no vector.",
            ),
          ];
      return element("section", { class: "modality" }, element("h4", {}, name), source, ...compared);
    });
}

/** Each behavior's similarity over its picture, in the order of the behaviors; at least one is known. */
function behaviorBars(similarities, behaviors) {
  const known = similarities.filter((one) => one !== null);
  const [low, best] = [Math.min(0, ...known), Math.max(...known)];
  const compared = similarities.map((similarity, index) => {
    const { item_id: itemId } = behaviors[index];
    return element(
      "li",
      { class: similarity === best ? "best" : "", title: itemId },
      column(similarity, low),
      element("span", { class: "number" }, similarity === null ? "–" : decimal(similarity, 2)),
      picture(behaviors[index], 36),
      element("span", { class: "hidden" }, itemId),
    );
  });
  return element(
    "figure",
    {},
    element("ol", { class: "compared" }, ...compared),
    element("figcaption", {}, "Similarity to each behavior, the latest last"),
  );
}

/** A bar from the zero line up to 1, or down to the lowest there is. */
function column(similarity, low) {
  const made = element("span", { class: "column", "aria-hidden": "true" });
  if (similarity === null) return made;
  const height = (value) => `${(Math.abs(value) / (1 - low)) * 100}%`;
  const filled = element("span", { class: similarity < 0 ? "below" : "" });
  filled.style.height = height(similarity);
  filled.style.bottom = similarity < 0 ? `calc(${height(low)} - ${height(similarity)})` : height(low);
  made.append(filled);
  return made;
}

const [WIDTH, HEIGHT, FOOT, TOP] = [420, 120, 22, 16];

/** How many behaviors lie in each tier of similarity: bars with their counts over an axis from -1 to 1. */
export function histogram(tiers, name) {
  const step = WIDTH / tiers.length;
  const most = Math.max(...tiers, 1);
  const base = HEIGHT - FOOT;
  const bars = tiers.flatMap((number, tier) => {
    if (!number) return [];
    const height = (number / most) * (base - TOP);
    const middle = (tier + 0.5) * step;
    return [
      element("rect", {
        class: "tier",
        x: tier * step + 1,
        y: base - height,
        width: step - 2,
        height,
        rx: 2,
      }),
      element(
        "text",
        { class: "count", x: middle, y: base - height - 4, "text-anchor": "middle" },
        count(number),
      ),
    ];
  });
  const ticks = [-1, -0.5, 0, 0.5, 1].flatMap((value) => {
    const x = ((value + 1) / 2) * WIDTH;
    const anchor = value === -1 ? "start" : value === 1 ? "end" : "middle";
    return [
      element("line", { class: "axis", x1: x, x2: x, y1: base, y2: base + 4 }),
      element("text", { x, y: HEIGHT - 5, "text-anchor": anchor }, decimal(value, value % 1 ? 1 : 0)),
    ];
  });
  return element(
    "figure",
    {},
    element(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": inWords(tiers, name) },
      element("line", { class: "axis", x1: 0, x2: WIDTH, y1: base, y2: base }),
      ...bars,
      ...ticks,
    ),
    element("figcaption", {}, "Behaviors in each tier of similarity"),
  );
}

function inWords(tiers, name) {
  const edge = (tier) => decimal(-1 + (2 * tier) / tiers.length, 2);
  const filled = tiers.flatMap((number, tier) =>
    number ? [`${plural(number, "behavior")} from ${edge(tier)} to ${edge(tier + 1)}`] : [],
  );
  return `${name}, behaviors by similarity: ${filled.join(", ") || "none"}`;
}
