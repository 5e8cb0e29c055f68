// The form for the code, or the silent way in from Prolific. The code goes to the server in the body of a POST, never
// into an address, where logs and histories would keep it.

import { button, el, style } from "./dom.js";

const GROUPS = 3;
const SIZE = 4;
const forms = new WeakMap();

export default async function show({ data, parentElement }) {
  if (forms.has(parentElement)) return undefined;
  forms.set(parentElement, true);
  await style(parentElement, "base.css", "small.css");
  parentElement.append(data.prolific ? createArrival(data) : createForm(data));
  return () => forms.delete(parentElement);
}

function createForm({ words }) {
  const error = el("p", { class: "error", role: "alert", id: "login-error", "data-testid": "login-error" });
  const input = el("input", {
    id: "code", class: "code", autocomplete: "off", autocapitalize: "characters", spellcheck: "false",
    placeholder: Array(GROUPS).fill("XXXX").join("-"), "aria-describedby": "login-error", "data-testid": "code",
  });
  const submit = button(words.button, null, { class: "primary", "data-testid": "login" });
  submit.type = "submit";
  const form = el("form", { class: "login", "data-state": "open", novalidate: true },
    el("label", { for: "code", text: words.label }), el("div", { class: "line" }, input, submit), error);

  input.addEventListener("input", () => {
    const atEnd = input.selectionEnd === input.value.length;
    const grouped = group(input.value);
    // while somebody corrects a letter in the middle the text must not jump
    if (atEnd && grouped !== input.value) input.value = grouped;
    say("");
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.dataset.state === "sending") return;
    if (!input.value.trim()) { input.focus(); return; }
    form.dataset.state = "sending";
    submit.disabled = true;
    say("");
    const refused = await logIn({ code: input.value }, words);
    if (refused === null) return;
    form.dataset.state = "refused";
    submit.disabled = false;
    say(refused);
    input.focus();
    input.select();
  });
  function say(text) {
    error.textContent = text;
    input.setAttribute("aria-invalid", String(text !== ""));
  }
  return form;
}

function createArrival({ words, prolific }) {
  const text = el("p", { role: "status", text: words.prolific, "data-testid": "prolific" });
  const again = button(words.button, go, { class: "primary", hidden: true });
  const element = el("div", { class: "login" }, text, again);
  async function go() {
    again.hidden = true;
    const refused = await logIn({ prolific }, words);
    if (refused === null) return;
    text.textContent = refused;
    text.className = "error";
    again.hidden = false;
  }
  go();
  return element;
}

/** Ask for the cookie; go to the first page and return null, or return why not. */
async function logIn(body, words) {
  let response;
  try {
    response = await fetch("/api/session", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), credentials: "same-origin",
    });
  } catch {
    return words.error_network;
  }
  if (response.ok) {
    // the code, or Prolific's ids, leave the address; the chosen language stays
    const language = new URLSearchParams(location.search).get("lang");
    location.replace(language ? `/?lang=${encodeURIComponent(language)}` : "/");
    return null;
  }
  const { reason } = await response.json().catch(() => ({}));
  return words[`error_${reason}`] ?? words.error_other;
}

/** Return what was typed in capitals, in groups of four. */
function group(typed) {
  const letters = typed.toUpperCase().replace(/[^0-9A-Z]/g, "").slice(0, GROUPS * SIZE);
  return letters.match(/.{1,4}/g)?.join("-") ?? "";
}
