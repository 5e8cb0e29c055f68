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
export function button(label, onclick, attributes = {}) {
  const made = el("button", { type: "button", onclick, ...attributes }, label);
  made.addEventListener("mousedown", (event) => event.preventDefault());
  return made;
}

/** Return `template` with its {placeholders} filled in. */
export function fill(template, values = {}) {
  return template.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
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
