/** Pictures of items, and the field in which the reader gives one. */

import { itemPath, pictureUrl, token } from "./api.js";
import { element } from "./dom.js";

const MAX_BYTES = 20_000_000;
const TYPES = ["image/jpeg", "image/png", "image/webp"];

/** An item's picture, loaded once it comes into view; a quiet box where there is none. */
export function picture(item, size) {
  const frame = element("span", { class: "picture" });
  if (item.has_image === false) return blank(frame);
  const image = element("img", { alt: "", width: size, height: size, loading: "lazy", decoding: "async" });
  image.addEventListener("error", () => blank(frame));
  frame.append(image);
  const path = itemPath(item.item_id, "/image");
  if (token()) seen.observe(Object.assign(frame, { path }));
  else image.src = path;
  return frame;
}

function blank(frame) {
  frame.replaceChildren(element("span", { "aria-hidden": "true" }, "no picture"));
  frame.classList.add("blank");
  return frame;
}

/** An `img` sends no token, so with one the pictures are fetched here, as late as `loading="lazy"` would. */
const seen = new IntersectionObserver(
  (entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      seen.unobserve(entry.target);
      load(entry.target);
    }
  },
  { rootMargin: "400px" },
);

async function load(frame) {
  const image = frame.querySelector("img");
  try {
    image.src = await pictureUrl(frame.path);
    image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
  } catch {
    blank(frame);
  }
}

/**
 * A label with a file input that takes a chosen, dropped or pasted picture and shows it.
 * @param {HTMLLabelElement} label with an `input` and a `span` of words.
 * @param {() => boolean} isOpen whether what is pasted is meant for this one.
 * @param {(error: string | null) => void} changed called when there is another picture, or why there is none.
 * @returns {{file: () => File | null, base64: () => Promise<string>}}
 */
export function pictureField(label, isOpen, changed) {
  const [input, words] = [label.querySelector("input"), label.querySelector("span")];
  let file = null;
  let preview = null;

  function take(given) {
    if (!given) return;
    const error = unusable(given);
    if (!error) {
      file = given;
      show();
    }
    changed(error);
  }

  function show() {
    if (preview) URL.revokeObjectURL(preview);
    preview = URL.createObjectURL(file);
    words.replaceChildren(
      element("img", { src: preview, alt: "" }),
      element("b", {}, file.name || "pasted picture"),
    );
    label.classList.add("full");
  }

  input.addEventListener("change", () => take(input.files[0]));
  label.addEventListener("dragover", (event) => {
    event.preventDefault();
    label.classList.add("over");
  });
  label.addEventListener("dragleave", () => label.classList.remove("over"));
  label.addEventListener("drop", (event) => {
    event.preventDefault();
    label.classList.remove("over");
    take(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    const pasted = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
    if (pasted && isOpen()) take(pasted);
  });
  return { file: () => file, base64: () => base64(file) };
}

function unusable(file) {
  if (!TYPES.includes(file.type))
    return `Expected a JPEG, PNG or WebP picture, got ${file.type || "a file of another kind"}.`;
  if (file.size > MAX_BYTES)
    return `Expected a picture of at most 20 MB, got ${(file.size / 1e6).toFixed(1)} MB.`;
  return null;
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result.slice(reader.result.indexOf(",") + 1)));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });
}
