/** The fields of a user's features. */

import { byId, element } from "./dom.js";

/** @param {(user: Object) => void} changed called with all features once the reader has changed one. */
export function featureFields(changed) {
  const [place, summary] = [byId("features-fields"), byId("features-summary")];
  /** By name, the values that the sample users have: they tell what to suggest, and numbers from words. */
  const seen = new Map();

  function learn(users) {
    for (const { user } of users) {
      for (const [name, value] of Object.entries(user))
        seen.set(name, (seen.get(name) ?? new Set()).add(value));
    }
  }

  const isNumber = (name, value) => [...(seen.get(name) ?? [value])].every((one) => typeof one === "number");

  function draw(user) {
    const names = [...new Set([...seen.keys(), ...Object.keys(user)])];
    const given = Object.entries(user).filter(([, value]) => value !== "");
    summary.textContent = given.map(([, value]) => value).join(" · ") || "none given";
    const focused = document.activeElement?.id;
    place.replaceChildren(...names.flatMap((name) => field(user, name)));
    if (focused?.startsWith("feature-")) byId(focused)?.focus();
  }

  function field(user, name) {
    const id = `feature-${name}`;
    const number = isNumber(name, user[name]);
    const input = element("input", {
      id,
      list: `${id}-values`,
      autocomplete: "off",
      type: number ? "number" : "text",
      step: number ? "any" : null,
      value: user[name] ?? "",
      placeholder: "not given",
    });
    input.addEventListener("change", () => {
      const { [name]: _, ...others } = user;
      if (input.value === "") changed(others);
      else changed({ ...others, [name]: number ? Number(input.value) : input.value });
    });
    const values = [...(seen.get(name) ?? [])].sort().slice(0, 50);
    return [
      element("label", { for: id }, name),
      input,
      element("datalist", { id: `${id}-values` }, ...values.map((value) => element("option", { value }))),
    ];
  }

  return { learn, draw };
}
