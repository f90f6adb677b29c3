/** Asks for the API token once a call is refused for want of it. */

import { setToken, token, UNAUTHORIZED } from "./api.js";
import { byId } from "./dom.js";

/** @param {() => void} given called when the reader has given a token. */
export function startTokenForm(given) {
  const [form, input, error] = [byId("token"), byId("token-value"), byId("token-error")];
  window.addEventListener(UNAUTHORIZED, () => {
    if (!form.hidden) return;
    error.textContent = token() ? "The gateway refused the token that this tab has. Give another one." : "";
    form.hidden = false;
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    setToken(input.value.trim());
    input.value = "";
    form.hidden = true;
    given();
  });
}
