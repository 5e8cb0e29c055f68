// The rating screen. Streamlit calls the default export at every run of its script; only another pair is built anew.

import { createScreen } from "./screen.js";
import { style } from "./dom.js";

const screens = new WeakMap();

export default async function show({ data, parentElement, setTriggerValue }) {
  if (!screens.has(parentElement)) screens.set(parentElement, {});
  const known = screens.get(parentElement);
  // always the newest: an older one would talk to a run of the script that is over
  known.data = data;
  known.trigger = setTriggerValue;
  known.styled ??= style(parentElement, "base.css", "rating.css").catch((error) => {
    known.styled = null;
    throw error;
  });
  await known.styled;
  const key = `${known.data.assignment}/${known.data.revise}`;
  if (known.key !== key) {
    known.screen?.destroy();
    known.key = key;
    known.screen = createScreen(parentElement, known.data, (name, value) => known.trigger(name, value));
  }
  return () => {
    known.screen?.destroy();
    screens.delete(parentElement);
  };
}
