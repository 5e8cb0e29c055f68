// The rating screen. Streamlit calls the default export at every run of its script; only another pair is built anew.

import { createScreen } from "./screen.js";
import { style } from "./dom.js";

const screens = new WeakMap();

export default async function show({ data, parentElement, setTriggerValue }) {
  const key = `${data.assignment}/${data.revise}`;
  let known = screens.get(parentElement);
  if (!known) {
    known = {};
    screens.set(parentElement, known);
    await style(parentElement, "base.css", "rating.css");
  }
  // always the newest: an old one would talk to a run of the script that is over
  known.trigger = setTriggerValue;
  if (known.key !== key) {
    known.screen?.destroy();
    known.key = key;
    known.screen = createScreen(parentElement, data, (name, value) => known.trigger(name, value));
  }
  return () => {
    known.screen?.destroy();
    screens.delete(parentElement);
  };
}
