/** Adds an item and watches it become encoded, searchable and recallable. */

import { adRow } from "./ads.js";
import { call, itemPath } from "./api.js";
import { announce, byId, element, notice } from "./dom.js";
import { meta, similarTile, titleOf } from "./items.js";
import { picture, pictureField } from "./pictures.js";
import { joined } from "./recommend_view.js";
import { Results } from "./results.js";
import { go, hash } from "./route.js";
import { Track } from "./track.js";
import { fillUsers, sampleName, sampleUsers } from "./users.js";

const NEIGHBORS = 8;

/** @param {(item: Object) => void} addBehavior adds an item to the user's behaviors. */
export function addView(addBehavior) {
  const form = byId("add-form");
  const [title, category, shop, item, select] = ["title", "category", "shop", "item", "user"].map((name) =>
    byId(`add-${name}`),
  );
  const results = new Results(byId("add-results"));
  const field = pictureField(
    byId("add-picture"),
    () => !byId("panel-add").hidden,
    (error) => {
      if (error) results.show(notice("bad", error));
    },
  );
  const queued = new Map();
  let track = null;
  let users = [];

  async function submit(event) {
    event.preventDefault();
    const itemId = item.value.trim();
    if (!field.file() && !title.value.trim()) {
      results.show(notice("bad", "An item needs a picture or a title: give at least one."));
      return;
    }
    await results.run(async (signal) => {
      const image = field.file() ? await field.base64() : null;
      const body = {
        title: title.value.trim() || null,
        image,
        category_id: category.value.trim(),
        shop_id: shop.value.trim(),
        features: {},
      };
      const sent = Date.now();
      const { introduced_at: introducedAt } = await call(itemPath(itemId), { method: "PUT", body, signal });
      queued.set(itemId, { sent, introducedAt });
      item.value = newId();
      announce(`${itemId} is queued.`);
      go("add", { item: itemId, sample: select.value });
      return [];
    });
  }

  /** Watches an item; `put` tells when it was put, and is null for one that this page did not put. */
  function watch(itemId, put) {
    track?.stop();
    const [neighbors, rank] = [element("section"), element("section")];
    const head = element("div", { class: "queried" });
    track = new Track(itemId, put, {
      known: (known) =>
        head.childElementCount ||
        head.append(picture(known, 96), element("div", {}, element("h2", {}, titleOf(known)), meta(known))),
      searchable: () => new Results(neighbors).run((signal) => nearest(itemId, signal)),
      done: () => new Results(rank).run((signal) => ranked(itemId, signal)),
      failed: (error) => results.fail(error, () => watch(itemId, put)),
    });
    track.rank = rank;
    results.show(head, track.node, rank, neighbors);
    track.start();
  }

  async function nearest(itemId, signal) {
    const { items } = await call("v1/similar", {
      method: "POST",
      body: { item_id: itemId, k: NEIGHBORS },
      signal,
    });
    return [
      element(
        "div",
        { class: "head" },
        element("h2", {}, "Its nearest items"),
        element("a", { href: hash("similar", { item: itemId }) }, "Find similar"),
      ),
      element("ul", { class: "tiles" }, ...items.map((one) => similarTile(one, addBehavior))),
    ];
  }

  async function ranked(itemId, signal) {
    const sample = select.value === "" ? null : Number(select.value);
    if (sample === null) return [];
    const { user, behaviors } = users[sample];
    const body = { user, behaviors, k: 1, explain: true, also_rank: [itemId] };
    const answer = await call("v1/recommend", { method: "POST", body, signal });
    const ad = answer.ads.find((one) => one.item_id === itemId);
    if (!ad) return [notice("warn", "The answer is without the item. Choose a user again to ask once more.")];
    const most = Math.max(...answer.ads.map((one) => one.score ?? 0), 1e-12);
    return [
      element(
        "div",
        { class: "head" },
        element("h2", {}, `Ranked for ${sampleName(sample)}`),
        element(
          "a",
          { href: hash("recommend", { sample, also: joined([itemId]), open: itemId }) },
          "Among the ads",
        ),
      ),
      element(
        "div",
        { class: "ads" },
        element("ol", {}, adRow(ad, most, behaviors, { addBehavior, open: true })),
      ),
    ];
  }

  select.addEventListener("change", () => {
    if (track?.isDone) new Results(track.rank).run((signal) => ranked(track.itemId, signal));
  });
  form.addEventListener("submit", submit);
  item.value = newId();

  async function prepare(query) {
    users = await sampleUsers();
    const first = select.options.length === 1;
    fillUsers(select, users);
    if (query.has("sample")) select.value = query.get("sample");
    else if (first && users.length) select.value = "0";
    if (first) suggest(await call("v1/items?limit=200"));
  }

  function suggest({ items }) {
    for (const [input, name] of [
      [category, "category_id"],
      [shop, "shop_id"],
    ]) {
      const id = `${input.id}-values`;
      const values = [...new Set(items.map((one) => one[name]))].sort();
      input.setAttribute("list", id);
      input.after(element("datalist", { id }, ...values.map((value) => element("option", { value }))));
    }
  }

  return {
    async show(query) {
      const itemId = query.get("item");
      try {
        await prepare(query);
      } catch (error) {
        results.fail(error, () => this.show(query));
        return;
      }
      if (!itemId) results.show(intro());
      else if (track?.itemId !== itemId || queued.has(itemId)) {
        const put = queued.get(itemId) ?? null;
        queued.delete(itemId);
        watch(itemId, put);
      }
    },
  };
}

const newId = () => `new-${Date.now().toString(36)}`;

function intro() {
  return element(
    "div",
    { class: "empty" },
    element(
      "p",
      {},
      "A new item is queued, encoded by the encoders that the models were trained with, and found within " +
        "seconds, without a run of the pipeline.",
    ),
    element(
      "p",
      {},
      "Its way is shown here: queued, encoded, searchable, recallable; then its nearest items, and its " +
        "rank for a user.",
    ),
  );
}
