/** Search by words, by picture and by item. */

import { call, itemPath } from "./api.js";
import { announce, byId, element, notice, plural } from "./dom.js";
import { meta, similarTile, titleOf } from "./items.js";
import { picture, pictureField } from "./pictures.js";
import { Results } from "./results.js";
import { go, hash } from "./route.js";

const FIRST = 24;
const MOST = 200;
const NAMES = { image: "picture", text: "title" };

/** @param {(item: Object) => void} addBehavior adds an item to the user's behaviors. */
export function similarView(addBehavior) {
  const form = byId("similar-form");
  const [text, item, modality] = [byId("similar-text"), byId("similar-item"), byId("similar-modality")];
  const results = new Results(byId("similar-results"));
  const field = pictureField(
    byId("similar-picture"),
    () => !byId("panel-similar").hidden,
    (error) => {
      choose("picture");
      if (error) results.show(notice("bad", error));
      else go("similar", { by: "picture" });
    },
  );

  function choose(by) {
    form.elements.by.value = by;
    for (const one of form.querySelectorAll("[data-by]")) one.hidden = one.dataset.by !== by;
  }

  function submit(event) {
    event.preventDefault();
    const by = form.elements.by.value;
    if (by === "text") go("similar", { text: text.value.trim() });
    else if (by === "picture") go("similar", { by });
    else go("similar", { by, item: item.value.trim(), modality: modality.value });
  }

  for (const radio of form.elements.by) radio.addEventListener("change", () => choose(radio.value));
  form.addEventListener("submit", submit);

  async function search(asked, about, query, signal) {
    const k = Math.min(Number(query.get("k")) || FIRST, MOST);
    const [answer, itself] = await Promise.all([
      call("v1/similar", { method: "POST", body: { ...asked, k }, signal }),
      asked.item_id ? call(itemPath(asked.item_id), { signal }) : null,
    ]);
    const found = plural(answer.items.length, "item");
    announce(`${found} found, the nearest first.`);
    return [
      heading(`${found} nearest to ${itself ? `“${titleOf(itself)}”` : about}`, answer, itself),
      element("ul", { class: "tiles" }, ...answer.items.map((one) => similarTile(one, addBehavior))),
      ...(answer.items.length === k && k < MOST ? [more(query, k)] : []),
    ];
  }

  function more(query, k) {
    const next = Math.min(2 * k, MOST);
    const onclick = () => go("similar", { ...Object.fromEntries(query), k: next });
    return element("button", { type: "button", class: "more", onclick }, `Show ${next}`);
  }

  async function browse(signal) {
    const { items } = await call(`v1/items?limit=${FIRST}`, { signal });
    if (!items.length)
      return [
        element("p", { class: "empty" }, "The item store is empty: publish a release, or add an item."),
      ];
    return [
      element("div", { class: "head" }, element("h2", {}, "Search, or start from one of these items")),
      element("ul", { class: "tiles" }, ...items.map(plainTile)),
    ];
  }

  return {
    show(query) {
      const itemId = query.get("item");
      choose(itemId ? "item" : (query.get("by") ?? "text"));
      text.value = query.get("text") ?? text.value;
      item.value = itemId ?? item.value;
      modality.value = query.get("modality") ?? "";
      if (itemId) {
        const asked = modality.value ? { item_id: itemId, modality: modality.value } : { item_id: itemId };
        results.run((signal) => search(asked, null, query, signal));
      } else if (query.get("text")) {
        results.run((signal) => search({ text: text.value }, `“${text.value}”`, query, signal));
      } else if (query.get("by") === "picture" && field.file()) {
        results.run(async (signal) => search({ image: await field.base64() }, "your picture", query, signal));
      } else results.run(browse);
    },
  };
}

function heading(words, { modality, version }, item) {
  const title = element("h2", {}, words);
  const how = element("p", { class: "soft" }, `by ${NAMES[modality]}, encoder version ${version}`);
  if (!item) return element("div", { class: "head" }, title, how);
  return element(
    "div",
    { class: "queried" },
    picture(item, 96),
    element("div", {}, title, how, meta(item), chips(item)),
  );
}

/** What of an item is encoded, and who finds it. */
function chips(item) {
  const states = Object.entries(item.modalities).map(([modality, state]) => `${NAMES[modality]}: ${state}`);
  const found = item.recallable ? "recallable" : "not recallable";
  return element(
    "p",
    { class: "chips" },
    ...[...states, found].map((text) => element("span", { class: "chip" }, text)),
  );
}

function plainTile(item) {
  return element(
    "li",
    { class: "tile" },
    element(
      "a",
      { href: hash("similar", { item: item.item_id }) },
      picture(item, 180),
      element("h3", {}, titleOf(item)),
    ),
    meta(item),
  );
}
