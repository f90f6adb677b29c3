/** The page: its tabs, and which view the URL asks for. */

import { addView } from "./add_view.js";
import { announce, byId } from "./dom.js";
import { titleOf } from "./items.js";
import { recommendView } from "./recommend_view.js";
import { go, route } from "./route.js";
import { similarView } from "./similar_view.js";
import { startStatus } from "./status_line.js";
import { startTokenForm } from "./token_form.js";

const TABS = ["similar", "recommend", "add"];

function addBehavior(item) {
  shown.recommend = views.recommend.add(item);
  announce(`Added ${titleOf(item)} to the user’s behaviors.`);
}

const views = {
  similar: similarView(addBehavior),
  recommend: recommendView(),
  add: addView(addBehavior),
};

/** What each tab showed last, so that one comes back to it. */
const shown = Object.fromEntries(TABS.map((tab) => [tab, {}]));

function select(tab) {
  const hadFocus =
    !byId(`panel-${tab}`).contains(document.activeElement) && byId("main").contains(document.activeElement);
  for (const one of TABS) {
    const [button, panel] = [byId(`tab-${one}`), byId(`panel-${one}`)];
    button.setAttribute("aria-selected", String(one === tab));
    button.tabIndex = one === tab ? 0 : -1;
    panel.hidden = one !== tab;
  }
  if (hadFocus) byId(`tab-${tab}`).focus();
  document.title = `${byId(`tab-${tab}`).textContent} · Adlens inspector`;
}

function follow() {
  const { tab, query } = route();
  const known = TABS.includes(tab) ? tab : TABS[0];
  select(known);
  shown[known] = Object.fromEntries(query);
  views[known].show(query);
}

function onTabKey(event) {
  const at = TABS.findIndex((tab) => event.target.id === `tab-${tab}`);
  const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1 }[event.key];
  if (at < 0 || next === undefined) return;
  event.preventDefault();
  const tab = TABS.at(next % TABS.length);
  byId(`tab-${tab}`).focus();
  go(tab, shown[tab]);
}

for (const tab of TABS) {
  byId(`tab-${tab}`).addEventListener("click", () => go(tab, shown[tab]));
}
document.querySelector("[role=tablist]").addEventListener("keydown", onTabKey);
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
// A picture that misses its field must not replace the page.
for (const type of ["dragover", "drop"]) window.addEventListener(type, (event) => event.preventDefault());
window.addEventListener("hashchange", follow);

const askStatus = startStatus();
startTokenForm(() => {
  askStatus();
  follow();
});
follow();
