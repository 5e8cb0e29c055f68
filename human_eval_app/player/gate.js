// A window too small to judge two videos in, or a device the study did not want: said politely, nothing is lost.

import { el, fill } from "./dom.js";

/** Return the sentence that keeps this device out for now, or null. settings: {min_viewport: [w, h], touch}. */
export function refusal(settings, words) {
  const [width, height] = settings.min_viewport;
  if (settings.touch === "refuse" && onlyTouch()) return words.gate_touch;
  if (innerWidth >= width && innerHeight >= height) return null;
  return fill(words.gate_small, { width, height, now_width: innerWidth, now_height: innerHeight });
}

export function onlyTouch() {
  return navigator.maxTouchPoints > 0 && !matchMedia("(any-pointer: fine)").matches;
}

/** Show the gate over `root` while there is a reason; `onchange(closed)` hears when it closes and opens. */
export function guard(root, settings, words, signal, onchange) {
  const text = el("p");
  const gate = el(
    "div",
    { class: "gate", role: "alertdialog", "aria-modal": "true", "aria-labelledby": "gate-title", "data-testid": "gate" },
    el("h2", { id: "gate-title", text: words.gate_title }),
    text,
  );
  const look = () => {
    const reason = refusal(settings, words);
    text.textContent = reason ?? "";
    const closed = reason !== null;
    if (closed !== gate.isConnected) {
      if (closed) root.append(gate);
      else gate.remove();
      onchange(closed);
    }
  };
  addEventListener("resize", look, { signal });
  look();
}
