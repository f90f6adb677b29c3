/** A user, with features and behaviors, and the ads ranked for them. */

import { adFacts, adList, degradedNotice } from "./ads.js";
import { call } from "./api.js";
import { announce, byId, element, plural } from "./dom.js";
import { featureFields } from "./features.js";
import { picture } from "./pictures.js";
import { Results } from "./results.js";
import { go, remember } from "./route.js";
import { fillUsers, sampleName, sampleUsers } from "./users.js";

const K = 10;

export function recommendView() {
  const form = byId("recommend-form");
  const [select, list, k] = [byId("recommend-user"), byId("behaviors"), byId("recommend-k")];
  const [newBehavior, addButton] = [byId("behavior-item"), byId("behavior-add")];
  const results = new Results(byId("recommend-results"));
  const features = featureFields((user) => edit({ user }));
  /** `sample` is null for one's own user, who is kept whole in the URL. */
  let state = null;

  function queryOf({ sample, user, behaviors, also }) {
    const who =
      sample === null
        ? { user: JSON.stringify(user), behaviors: joined(behaviors.map((one) => one.item_id)) }
        : { sample };
    return { ...who, k: k.value === String(K) ? null : k.value, also: joined(also) };
  }

  function stateOf(query, users) {
    const also = split(query.get("also"));
    const sample = query.has("sample") ? Number(query.get("sample")) : 0;
    if (query.has("user"))
      return {
        sample: null,
        user: parsed(query.get("user")),
        behaviors: split(query.get("behaviors")).map((id) => ({ item_id: id })),
        also,
      };
    if (users[sample])
      return { sample, user: { ...users[sample].user }, behaviors: [...users[sample].behaviors], also };
    return { sample: null, user: {}, behaviors: [], also };
  }

  /** Changes the user at hand, who then is one's own, and ranks again. */
  function edit(change) {
    state = { ...state, sample: null, ...change };
    draw();
    go("recommend", queryOf(state));
  }

  function draw() {
    select.value = state.sample ?? "";
    features.draw(state.user);
    byId("behaviors-title").textContent = plural(state.behaviors.length, "behavior");
    list.replaceChildren(...state.behaviors.map(behavior));
  }

  function behavior(one, index) {
    const label = `Remove ${one.item_id} from the behaviors`;
    return element(
      "li",
      {},
      element(
        "button",
        { type: "button", title: label, "aria-label": label, onclick: () => remove(index) },
        picture(one, 52),
      ),
    );
  }

  function remove(index) {
    edit({ behaviors: state.behaviors.filter((_, at) => at !== index) });
    (
      list.querySelectorAll("button")[index] ??
      list.querySelector("li:last-child button") ??
      newBehavior
    ).focus();
  }

  function addTyped() {
    const itemId = newBehavior.value.trim();
    if (!itemId) return;
    newBehavior.value = "";
    edit({ behaviors: [...state.behaviors, { item_id: itemId }] });
  }

  async function rank(query, signal) {
    const { user, behaviors, also } = state;
    const body = { user, behaviors, k: Number(k.value), explain: true, also_rank: also };
    const answer = await call("v1/recommend", { method: "POST", body, signal });
    const found = plural(answer.ads.length, "ad");
    announce(`${found} ranked${answer.degraded.length ? ", degraded" : ""}.`);
    const who = state.sample === null ? "your own user" : sampleName(state.sample);
    const how = answer.ranked_by === "ctr" ? "by click probability" : "by recall’s score";
    const nodes = [
      element(
        "div",
        { class: "head" },
        element("h2", {}, `${found} for ${who}`),
        element("p", { class: "soft" }, how),
      ),
      degradedNotice(answer.degraded),
      answer.ads.length
        ? adList(answer, behaviors, { addBehavior: append, open: query.get("open"), toggled })
        : element("p", { class: "empty" }, "Nothing was recalled for this user."),
      adFacts(answer),
    ];
    return nodes.filter(Boolean);
  }

  function toggled(itemId, isOpen) {
    remember("recommend", { ...queryOf(state), open: isOpen ? itemId : null });
  }

  function append(item) {
    edit({ behaviors: [...state.behaviors, behaviorOf(item)] });
    announce(`Added ${item.item_id} to the behaviors.`);
  }

  select.addEventListener("change", () => {
    if (select.value === "") edit({ user: {}, behaviors: [] });
    else go("recommend", { sample: select.value, k: k.value === String(K) ? null : k.value });
  });
  addButton.addEventListener("click", addTyped);
  newBehavior.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    addTyped();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (state) go("recommend", queryOf(state));
  });

  return {
    show(query) {
      k.value = query.get("k") ?? K;
      results.run(async (signal) => {
        const users = await sampleUsers();
        fillUsers(select, users);
        features.learn(users);
        const next = stateOf(query, users);
        if (!state || JSON.stringify(queryOf(next)) !== JSON.stringify(queryOf(state))) {
          state = next;
          draw();
        }
        return rank(query, signal);
      });
    },
    /** Adds an item to the behaviors from elsewhere on the page; returns the query that shows them. */
    add(item) {
      state ??= { user: {}, behaviors: [], also: [] };
      state = { ...state, sample: null, behaviors: [...state.behaviors, behaviorOf(item)] };
      draw();
      return queryOf(state);
    },
  };
}

const behaviorOf = ({ item_id, category_id, shop_id }) => ({
  item_id,
  ...(category_id && { category_id }),
  ...(shop_id && { shop_id }),
});

/** Item ids as one text; an id may have a comma. */
export const joined = (ids) => ids.map(encodeURIComponent).join(",");

const split = (text) => (text ?? "").split(",").filter(Boolean).map(decoded);

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function parsed(json) {
  try {
    const user = JSON.parse(json);
    return user && typeof user === "object" && !Array.isArray(user) ? user : {};
  } catch {
    return {};
  }
}
