/** The view and its query, kept in the URL's hash, so that a view can be shared and Back works. */

export const hash = (tab, query = {}) => {
  const kept = Object.entries(query).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  );
  return `#${tab}${kept.length ? `?${new URLSearchParams(kept)}` : ""}`;
};

/** @returns {{tab: string, query: URLSearchParams}} what the URL asks for. */
export function route() {
  const [tab, query = ""] = location.hash.slice(1).split(/\?(.*)/s);
  return { tab, query: new URLSearchParams(query) };
}

/** Goes to a view; to the one at hand too, which then asks the gateway again. */
export function go(tab, query) {
  const target = hash(tab, query);
  if (target === location.hash) window.dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = target;
}

/** Changes the URL alone. */
export function remember(tab, query) {
  history.replaceState(null, "", hash(tab, query));
}
