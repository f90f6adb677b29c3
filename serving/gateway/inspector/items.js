/** How an item looks in a list. */

import { decimal, element } from "./dom.js";
import { picture } from "./pictures.js";
import { hash } from "./route.js";

export const titleOf = (item) => item.title || "(no title)";

/** "c10 · s00008 · i0001500", of what is known. */
export function meta(item) {
  const known = [item.category_id, item.shop_id].filter(Boolean).join(" · ");
  return element("p", { class: "meta" }, known ? `${known} · ` : "", element("code", {}, item.item_id));
}

/** A bar from 0 to 1; what is below 0 has none. */
export function bar(value) {
  const made = element("span", { class: "meter", "aria-hidden": "true" }, element("span"));
  made.firstChild.style.width = `${Math.min(Math.max(value, 0), 1) * 100}%`;
  return made;
}

/** A button that adds an item to the user's behaviors. */
export function addButton(item, addBehavior) {
  const label = `Add ${titleOf(item)} to the user’s behaviors`;
  return element(
    "button",
    {
      type: "button",
      class: "quiet",
      title: "Add to the user’s behaviors",
      "aria-label": label,
      onclick: () => addBehavior(item),
    },
    "+ Behavior",
  );
}

/** A similar item: picture, title, where it belongs, and how similar it is. */
export function similarTile(item, addBehavior) {
  return element(
    "li",
    { class: "tile" },
    element(
      "a",
      { href: hash("similar", { item: item.item_id }), title: titleOf(item) },
      picture(item, 180),
      element("h3", {}, titleOf(item)),
    ),
    meta(item),
    element(
      "p",
      { class: "similarity" },
      bar(item.similarity),
      element("span", { class: "hidden" }, "similarity "),
      element("b", {}, decimal(item.similarity)),
    ),
    addButton(item, addBehavior),
  );
}
