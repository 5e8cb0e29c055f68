// One pair on the screen, from its draft to the server's acknowledgement.

import { createDiary } from "./diary.js";
import { openHelp, openImage, openPrompt, openReport } from "./dialogs.js";
import { button, el, fill, keycap } from "./dom.js";
import { guard } from "./gate.js";
import { listen } from "./keys.js";
import { Drawer, Outbox } from "./outbox.js";
import { countLeft, createQuestions } from "./questions.js";
import { createStage } from "./stage.js";

const NUDGE_SECONDS = 3; // a trigger that meets a closed websocket is lost without a word, so it is sent again

/**
 * Build the screen of `data` (rating_data.py) in `root`; `trigger(name, value)` reaches the script. Returns {destroy}.
 * Its state, for all to see in data-state: open, saving, offline, saved, refused.
 */
export function createScreen(root, data, trigger) {
  const words = data.words;
  const leaving = new AbortController();
  const { signal } = leaving;
  const diary = createDiary(data.assignment);
  const drawer = new Drawer(data.owner);
  const outbox = new Outbox(drawer);
  const place = `draft/${data.assignment}${data.revise ? "/revision" : ""}`;
  const draft = drawer.read(place) ?? { uuid: crypto.randomUUID(), answers: data.answers, current: 0, seconds: 0 };
  const opened = performance.now();
  let timeline = null;
  let broken = false;
  let gated = false;
  let state = "open";

  const questions = createQuestions({
    questions: data.questions, answers: draft.answers, current: draft.current, words,
    onanswer(code, answer) { diary.note("answer", `${code} ${answer}`); keep(); draw(); },
    onmove: keep,
  });
  const stage = createStage({
    data, words, log: diary.note, signal,
    onready(line) {
      timeline = line;
      line.addEventListener("change", watch);
      // whoever asked for less motion starts it themselves
      if (!gated && !matchMedia("(prefers-reduced-motion: reduce)").matches) line.play();
      draw();
    },
    onbroken() { broken = true; draw(); },
    ontrouble() { diary.note("warn", "loading"); },
    onimage: () => openImage(root, words, data.image),
  });

  const status = el("p", { class: "status", role: "status", "aria-live": "polite", "data-testid": "status" });
  const save = button(el("span", { text: data.revise ? words.save_change : words.save }), submit, { class: "primary", "data-testid": "save" });
  const flag = button(el("span", { text: words.broken }), report, { class: "plain", hidden: data.revise, "data-testid": "broken" });
  const extra = button("", () => {}, { class: "plain", hidden: true, "data-testid": "extra" });
  const element = el(
    "div", // Streamlit's page is the main one
    { class: "screen", "data-assignment": data.assignment, "data-testid": "rating" },
    createHead(),
    stage.element,
    questions.element,
    el("footer", { class: "foot" }, save, flag, status, extra, ...createSideButtons()),
  );
  save.append(keycap("Enter"));
  flag.append(keycap("B"));

  function createHead() {
    const count = fill(data.practice ? words.practice_of : words.pair_of, { number: data.position, total: data.total });
    const prompt = data.prompt === null ? null : createPrompt();
    return el(
      "header",
      { class: "head" },
      el(
        "div",
        { class: "progress" },
        el("span", { text: data.revise ? words.revising : count, class: data.revise || data.practice ? "badge" : "" }),
        el("progress", { max: data.total, value: Math.max(0, data.position - 1), "aria-label": count }),
      ),
      prompt,
    );
  }

  function createPrompt() {
    const text = el("p", { text: data.prompt, "data-testid": "prompt" });
    const whole = button(words.whole_prompt, () => openPrompt(root, words, data.prompt), { class: "link", hidden: true });
    // only a text that does not fit in its lines has more to show
    const observer = new ResizeObserver(() => { whole.hidden = text.scrollHeight <= text.clientHeight + 1; });
    observer.observe(text);
    signal.addEventListener("abort", () => observer.disconnect(), { once: true });
    return el("div", { class: "prompt" }, el("span", { class: "tag", text: words.prompt }), text, whole);
  }

  function createSideButtons() {
    const made = [];
    if (data.revise) made.push(button(words.cancel_change, () => ask("advance"), { class: "plain", "data-testid": "cancel" }));
    if (data.undo) made.push(button(words.undo, undo, { class: "plain", "data-testid": "undo" }));
    if (data.pause) made.push(button(words.pause_work, () => ask("break"), { class: "plain", "data-testid": "break" }));
    made.push(button("?", () => openHelp(root, words), { class: "plain round", "aria-label": words.help_title, title: words.help_title, "data-testid": "help-button" }));
    return made;
  }

  // ------------------------------------------------------------------------------------------------------- actions

  const watchedEnough = () => (timeline?.share ?? 0) + 1e-9 >= data.settings.must_watch;
  const ready = () => state === "open" && timeline !== null && questions.left() === 0 && watchedEnough();
  const seconds = () => draft.seconds + (performance.now() - opened) / 1000;

  function keep() {
    if (state !== "open") return;
    drawer.write(place, { ...draft, answers: questions.answers(), current: questions.current(), seconds: seconds() });
  }

  function submit() {
    if (!ready()) {
      draw(true);
      return;
    }
    keep();
    const body = {
      assignment: data.assignment, client_uuid: draft.uuid, answers: questions.answers(),
      seconds: Math.round(seconds() * 100) / 100, watched: Math.round(timeline.share * 1000) / 1000, revise: data.revise,
    };
    deliver({ url: "/api/ratings", body });
  }

  function report() {
    // what was answered once is answered: only an open pair can be reported
    if (state !== "open" || data.revise) return;
    timeline?.pause();
    openReport(root, words, (reason) =>
      deliver({ url: "/api/flag", body: { assignment: data.assignment, client_uuid: draft.uuid, reason } }),
    );
  }

  async function deliver(letter) {
    become("saving");
    try {
      const outcome = await outbox.send(letter, { signal, ontrouble: (kind) => become("offline", kind) });
      drawer.remove(place);
      if (outcome.ok) leave("advance", words.saved);
      else become("refused", words[`refused_${outcome.reason}`] ?? (outcome.message || words.refused_other));
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Ask the script for what comes next, again and again until it has answered with something else. */
  function leave(name, sentence = "") {
    keep();
    become("saved", sentence);
    const nudge = () => trigger(name, { assignment: data.assignment });
    nudge();
    let nudges = 1;
    const timer = setInterval(() => {
      nudge();
      nudges += 1;
      if (nudges === 4) become("saved", words.late);
    }, NUDGE_SECONDS * 1000);
    signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  /** The same, where nothing is being saved. */
  function ask(name) {
    if (state === "open") leave(name);
  }

  function undo() {
    if (data.undo) ask("undo");
  }

  function become(next, detail = null) {
    state = next;
    element.dataset.state = next;
    questions.lock(next !== "open");
    extra.hidden = true;
    if (next === "offline" && detail === "login") offer(words.log_in, () => location.reload());
    if (next === "saved" && detail === words.late) offer(words.reload, () => location.reload());
    if (next === "refused") offer(words.go_on, () => leave("advance"));
    element.dataset.trouble = next === "offline" ? detail : "";
    draw(false, detail);
  }

  function offer(label, onclick) {
    extra.textContent = label;
    extra.onclick = onclick;
    extra.hidden = false;
  }

  function sentence(detail) {
    if (state === "saving") return words.saving;
    if (state === "offline") return words[`trouble_${detail}`];
    if (state === "saved" || state === "refused") return detail;
    if (broken) return words.report_it;
    if (questions.left() > 0) return countLeft(questions.left(), words);
    if (timeline === null) return words.loading;
    if (!watchedEnough()) return fill(words.watch_more, { share: Math.round(data.settings.must_watch * 100) });
    return words.all_answered;
  }

  let enough = false;
  function watch() {
    if (enough === watchedEnough()) return;
    enough = watchedEnough();
    draw();
  }

  function draw(asked = false, detail = null) {
    const text = sentence(detail);
    if (status.textContent !== text) status.textContent = text;
    status.classList.toggle("strong", ["offline", "refused"].includes(state) || broken);
    status.classList.toggle("asked", asked);
    save.setAttribute("aria-disabled", String(!ready()));
    flag.setAttribute("aria-disabled", String(state !== "open"));
    flag.classList.toggle("wanted", broken);
  }

  const actions = {
    left: () => questions.answer("left"),
    same: () => questions.answer("same"),
    right: () => questions.answer("right"),
    next: () => questions.move(1),
    previous: () => questions.move(-1),
    shift: ({ by, option }) => questions.shift(option, by),
    toggle: () => timeline?.toggle(),
    back: () => timeline?.step(-1),
    forward: () => timeline?.step(1),
    restart: () => timeline?.restart(),
    slower: () => timeline?.faster(-1),
    faster: () => timeline?.faster(1),
    loop: () => timeline?.setLoop(!timeline.loop),
    save: submit,
    undo,
    broken: report,
    help: () => openHelp(root, words),
    nothing: () => {},
  };
  const stopListening = listen(root, (action, event) => {
    if (gated || root.querySelector("dialog[open]")) return false;
    // between saving and the next pair a key would belong to neither
    if (state === "open" || ["toggle", "back", "forward", "help"].includes(action)) actions[action](event);
    return true;
  });

  root.append(element);
  diary.note("shown");
  become("open");
  guard(root, data.settings, words, signal, (closed) => {
    gated = closed;
    element.inert = closed;
    if (closed) timeline?.pause();
  });
  addEventListener("pagehide", keep, { signal });
  outbox.sendOthers(data.assignment, signal);
  const waiting = outbox.waiting(data.assignment);
  if (waiting) deliver(waiting);

  return {
    destroy() {
      keep();
      leaving.abort();
      stopListening();
      diary.close();
      root.replaceChildren();
    },
  };
}
