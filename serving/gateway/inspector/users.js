/** The release's sample users. */

import { call } from "./api.js";
import { element, plural } from "./dom.js";

let asked = null;

/** The sample users, asked for once; a call that failed is made again by the next one who asks. */
export function sampleUsers() {
  asked ??= call("v1/sample-users").catch((error) => {
    asked = null;
    throw error;
  });
  return asked.then((answer) => answer.sample_users);
}

export function sampleName(index) {
  return `Sample ${index + 1}`;
}

/** Puts the sample users into a select, behind what it has. */
export function fillUsers(select, users) {
  if (select.options.length > 1) return;
  select.append(
    ...users.map((sample, index) => {
      const features = Object.values(sample.user)
        .filter((value) => value !== "")
        .slice(0, 3)
        .join(", ");
      const words = `${sampleName(index)} · ${plural(sample.behaviors.length, "behavior")} · ${features}`;
      return element("option", { value: index }, words);
    }),
  );
}
