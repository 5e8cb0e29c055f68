// What opens above the screen: help, the report of a broken video, a larger picture, a long prompt.

import { button, el, keycap } from "./dom.js";

const HELP = [
  [["1", "2", "3"], "help_answer"],
  [["↑", "↓"], "help_move"],
  [["Space"], "help_toggle"],
  [[",", "."], "help_step"],
  [["Home"], "help_restart"],
  [["[", "]"], "help_speed"],
  [["L"], "help_loop"],
  [["Enter"], "help_save"],
  [["Z"], "help_undo"],
  [["B"], "help_broken"],
  [["?"], "help_help"],
  [["Esc"], "help_close"],
];
const FAULTS = ["does_not_play", "black_or_frozen", "cut_or_damaged", "other"];
const NOTE_LENGTH = 300;

/** Open a modal dialog with these contents; it is gone when it is closed, by Esc too. Returns the element. */
function open(root, { name, title, words, footer = [] }, ...contents) {
  const close = button(words.close, () => dialog.close(), { class: "plain", "data-testid": "close" });
  const dialog = el(
    "dialog",
    { class: `dialog ${name}`, "aria-labelledby": "dialog-title", "data-testid": name },
    el("h2", { id: "dialog-title", text: title }),
    ...contents,
    el("div", { class: "buttons" }, ...footer, close),
  );
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  root.append(dialog);
  dialog.showModal();
  return dialog;
}

export function openHelp(root, words) {
  const lines = HELP.map(([keys, name]) =>
    el("div", { class: "line" }, el("dt", {}, ...keys.map(keycap)), el("dd", { text: words[name] })),
  );
  // key caps are hidden from readers elsewhere, where the label says it all; here they are the content
  for (const line of lines) for (const cap of line.querySelectorAll("kbd")) cap.removeAttribute("aria-hidden");
  const same = el("p", { text: words.help_same });
  return open(root, { name: "help", title: words.help_title, words }, same, el("dl", { class: "keys" }, ...lines));
}

export function openPrompt(root, words, prompt) {
  return open(root, { name: "whole-prompt", title: words.prompt, words }, el("p", { class: "text", text: prompt }));
}

export function openImage(root, words, url) {
  const image = el("img", { src: url, alt: words.image_alt });
  return open(root, { name: "large-image", title: words.image, words }, image);
}

/** Ask what is wrong with a video; `onreport(reason)` gets "kind" or "kind: note". */
export function openReport(root, words, onreport) {
  const note = el("textarea", { rows: 2, maxlength: NOTE_LENGTH, "aria-label": words.report_note, placeholder: words.report_note });
  const choices = FAULTS.map((fault, i) =>
    el(
      "label",
      {},
      el("input", { type: "radio", name: "fault", value: fault, checked: i === 0 }),
      el("span", { text: words[`fault_${fault}`] }),
    ),
  );
  const report = button(
    words.report,
    () => {
      const fault = dialog.querySelector("input:checked").value;
      const text = note.value.trim();
      dialog.close();
      onreport(text ? `${fault}: ${text}` : fault);
    },
    { class: "primary", "data-testid": "report" },
  );
  const group = el("fieldset", {}, el("legend", { text: words.report_which }), ...choices);
  const dialog = open(root, { name: "report", title: words.broken, words, footer: [report] }, group, note);
  return dialog;
}
