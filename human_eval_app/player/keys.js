// The keys of the rating screen. c and r stay with Streamlit, and so does everything with Ctrl, Alt or Meta.

const ACTIONS = {
  1: "left", 2: "same", 3: "right",
  j: "next", ArrowDown: "next", k: "previous", ArrowUp: "previous",
  " ": "toggle", ",": "back", ".": "forward", Home: "restart", "[": "slower", "]": "faster", l: "loop",
  Enter: "save", z: "undo", b: "broken", "?": "help",
};

/** Return the action of a key event, or null when the key belongs to what has the focus. */
export function actionOf(event, focused) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return null;
  const action = ACTIONS[event.key.length === 1 ? event.key.toLowerCase() : event.key] ?? null;
  // one press is one answer and one submission, however long the key is held; stepping may repeat
  if (event.repeat && !["back", "forward", "next", "previous"].includes(action)) return action && "nothing";
  if (!focused) return action;
  if (focused.matches("textarea, input:not([type=range])")) return null;
  // what arrows, Home, Space and Enter do in a slider, a list or a button
  if (focused.matches("select")) return /^(Arrow|Home|End|Enter| )/.test(event.key) ? null : action;
  if (focused.matches("input[type=range]")) return /^(Arrow|Home|End|Page)/.test(event.key) ? null : action;
  if (focused.matches("[role=radio]")) return action;
  if (focused.matches("button, a")) return event.key === " " || event.key === "Enter" ? null : action;
  return action;
}

/** Call `handle(action, {by, option})` for every key of ours, until the returned function is called; false gives the key back. */
export function listen(root, handle) {
  const onkeydown = (event) => {
    // outside of the player something of the page has the focus, say a dialog of Streamlit
    const outside = document.activeElement;
    if (outside && outside !== document.body && outside !== root.host) return;
    const focused = root.activeElement;
    const sideways = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const shifts = sideways && focused?.matches("[role=radio]") && !event.ctrlKey && !event.altKey && !event.metaKey;
    const action = shifts ? "shift" : actionOf(event, focused);
    if (action === null || handle(action, { by: sideways, option: focused }) === false) return;
    // whoever answers has done with the button that had the focus, and Enter is to save again
    if (["left", "same", "right"].includes(action) && focused?.matches("button:not([role=radio])")) focused.blur();
    event.preventDefault();
    event.stopPropagation();
  };
  // in the capture phase: before Streamlit's own shortcuts
  document.addEventListener("keydown", onkeydown, true);
  return () => document.removeEventListener("keydown", onkeydown, true);
}
