// Elements without HTML: text only ever enters as text, so a prompt can never become markup.

/** Return a new element. Attributes: `class`, `text`, `on<event>` handlers, everything else as it is written. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Return a button. A click of the mouse leaves the focus where it is, so that Space goes on meaning play and pause. */
export function button(label, onclick, attributes = {}, ...more) {
  const made = el("button", { type: "button", onclick, ...attributes }, label, ...more);
  made.addEventListener("mousedown", (event) => event.preventDefault());
  return made;
}

/** Return `template` with its {placeholders} filled in. */
export function fill(template, values = {}) {
  return template.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

// drawn on 16 x 16: not every machine has letters that look like these
const ICONS = {
  play: "M3 1.5 14 8 3 14.5Z",
  pause: "M3 2h3.5v12H3ZM9.5 2H13v12H9.5Z",
  back: "M10 2v12L2 8ZM12 2h2v12h-2Z",
  forward: "M6 2v12l8-6ZM2 2h2v12H2Z",
  restart: "M8 3a5.5 5.5 0 1 1-5.3 4l1.9.5A3.5 3.5 0 1 0 8 5v2.6L3.6 4 8 .4Z",
  loop: "M4 3h7V.8L15 4l-4 3.2V5H4v3H2V5a2 2 0 0 1 2-2ZM12 13H5v2.2L1 12l4-3.2V11h7V8h2v3a2 2 0 0 1-2 2Z",
};

/** Return a small picture; what it means stands beside it or in the label of its button. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  for (const [key, value] of Object.entries({ viewBox: "0 0 16 16", width: 14, height: 14, fill: "currentColor", "aria-hidden": "true" })) {
    svg.setAttribute(key, value);
  }
  svg.append(path);
  return svg;
}

/** Return a key cap for `key`. It is decoration: the label beside it says what happens. */
export function keycap(key) {
  return el("kbd", { text: key, "aria-hidden": "true" });
}

const sheets = new Map();

/** Give the shadow root `root` the style sheets of these names; resolves when they apply, so nothing is seen unstyled. */
export async function style(root, ...names) {
  const wanted = names.map((name) => {
    if (!sheets.has(name)) sheets.set(name, load(name).catch((error) => { sheets.delete(name); throw error; }));
    return sheets.get(name);
  });
  root.adoptedStyleSheets = await Promise.all(wanted);
}

async function load(name) {
  const response = await fetch(new URL(name, import.meta.url));
  if (!response.ok) throw new Error(`${name}: HTTP ${response.status}`);
  return new CSSStyleSheet().replace(await response.text());
}
