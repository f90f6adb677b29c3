/** The gateway's state in the header, looked up every few seconds while the page is seen. */

import { call } from "./api.js";
import { byId, count, element, seconds } from "./dom.js";

const EVERY_MS = 3000;

/** Begins to follow the state. Returns what asks for it at once. */
export function startStatus() {
  const place = byId("status");
  let timer = null;
  let shown = "";

  async function ask() {
    clearTimeout(timer);
    if (document.hidden) return;
    try {
      const status = await call("v1/status");
      if (shown !== (shown = JSON.stringify(status))) show(place, status);
    } catch (error) {
      shown = "";
      place.replaceChildren(light("bad", error.status === 401 ? "token needed" : "no answer", error.message));
    }
    clearTimeout(timer);
    timer = setTimeout(ask, EVERY_MS);
  }

  document.addEventListener("visibilitychange", ask);
  place.addEventListener("keydown", (event) => {
    if (event.key === "Escape") place.querySelector("details")?.removeAttribute("open");
  });
  ask();
  return ask;
}

function show(place, status) {
  const open = place.querySelector("details")?.open ?? false;
  const focused = place.contains(document.activeElement);
  place.replaceChildren(state(status), ...figures(status), details(status, open));
  if (focused) place.querySelector("summary").focus();
}

function state({ ready, reasons }) {
  return ready ? light("good", "ready", "") : light("bad", "not ready", reasons.join(" "));
}

function light(kind, word, title) {
  return element("span", { class: `light ${kind}`, title }, word);
}

function figures({ items, queue, freshness }) {
  const fresh = freshness.recallable;
  const known = [figure("items", items), figure("waiting", queue.waiting)];
  if (!fresh?.items) return known;
  return [
    ...known,
    element(
      "span",
      {},
      "fresh in ",
      element("b", {}, seconds(fresh.p50_seconds)),
      ", p99 ",
      element("b", {}, seconds(fresh.p99_seconds)),
    ),
  ];
}

const figure = (name, number) => element("span", {}, element("b", {}, known(number)), ` ${name}`);

const known = (number) => (number == null ? "?" : count(number));

const VERSIONS = {
  recall: "Recall",
  ctr: "Click model",
  image_encoder: "Image encoder",
  text_encoder: "Text encoder",
};
const MODALITIES = { image: "picture", text: "title" };

function details(status, open) {
  const { searchable, recallable, queue, freshness } = status;
  const rows = [
    ["Release", status.release ?? "none"],
    ...Object.entries(VERSIONS).map(([key, name]) => [name, status.versions[key] ?? "none"]),
    ...Object.entries(MODALITIES).map(([key, name]) => [`Searchable by ${name}`, known(searchable[key])]),
    ["Recallable", known(recallable)],
    ["Oldest in the queue", queue.oldest_seconds ? seconds(queue.oldest_seconds) : "–"],
    ...Object.entries(freshness)
      .filter(([, fresh]) => fresh.items)
      .map(([stage, fresh]) => [
        `PUT to ${stage}, latest ${count(fresh.items)}`,
        `${seconds(fresh.p50_seconds)}, p99 ${seconds(fresh.p99_seconds)}`,
      ]),
  ];
  return element(
    "details",
    { open },
    element("summary", {}, "Details"),
    element(
      "div",
      { class: "popover" },
      ...status.reasons.map((reason) => element("p", { class: "error" }, reason)),
      element(
        "dl",
        {},
        ...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]),
      ),
    ),
  );
}
