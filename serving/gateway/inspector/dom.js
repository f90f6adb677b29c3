/** Elements and numbers. What comes from outside gets in as text, never as markup. */

/**
 * Makes an element.
 * @param {string} tag its name; one of SVG's is made as such.
 * @param {Object} attributes by name. `onclick` and the like are listeners; null and false leave one out.
 * @param {...(Node|string|null)} children strings become text.
 */
export function element(tag, attributes = {}, ...children) {
  const made = SVG_TAGS.has(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

const SVG_TAGS = new Set(["svg", "g", "rect", "line", "text", "path", "circle"]);

export const byId = (id) => document.getElementById(id);

const counts = new Intl.NumberFormat("en");

export const count = (number) => counts.format(number);

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

/** A similarity or a score; a true minus sign, so that columns of numbers stay aligned. */
export const decimal = (number, digits = 3) => number.toFixed(digits).replace("-", "−");

/** A probability as a percentage with three digits that mean something: 12.3 %, 1.23 %, 0.0123 %. */
export function percent(probability) {
  const value = probability * 100;
  const digits =
    value >= 10 ? 1 : value >= 0.1 || value === 0 ? 2 : Math.min(8, 2 - Math.floor(Math.log10(value)));
  return `${value.toFixed(digits)} %`;
}

export const seconds = (number) => `${number < 10 ? number.toFixed(1) : count(Math.round(number))} s`;

export const ordinal = (number) => {
  const last = number % 100 > 10 && number % 100 < 14 ? 0 : number % 10;
  return `${count(number)}${["th", "st", "nd", "rd"][last] ?? "th"}`;
};

/** A notice that is read out at once; `kind` is "bad" or "warn". */
export const notice = (kind, ...children) =>
  element("div", { class: `notice ${kind}`, role: "alert" }, ...children);

/** Says something to those who listen to the page. */
export function announce(text) {
  byId("announcer").textContent = text;
}
