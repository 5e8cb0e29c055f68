// The questions of a pair: one radio group each, in two columns, all on one screen.

import { button, el, fill, keycap } from "./dom.js";

export const ANSWERS = ["left", "same", "right"];

/**
 * Return the view of `questions` ({code, label, question, group}) with the answers given so far.
 * `onanswer(code, answer)` hears every answer; `words` has the labels.
 */
export function createQuestions({ questions, answers, current, words, onanswer, onmove }) {
  const given = new Map(questions.filter((q) => ANSWERS.includes(answers[q.code])).map((q) => [q.code, answers[q.code]]));
  const asked = el("p", { class: "asked", "data-testid": "question" });
  const rows = questions.map((question, i) => createRow(question, i));
  const element = el(
    "section",
    { class: "questions", "aria-label": words.questions },
    asked,
    el("div", { class: "rows", style: `--rows: ${Math.ceil(questions.length / 2)}` }, ...rows.map((row) => row.element)),
  );
  let at = Math.max(0, Math.min(questions.length - 1, current));
  let locked = false;

  function createRow(question, i) {
    const id = `label-${i}`;
    const options = ANSWERS.map((answer, n) =>
      el(
        "button",
        {
          type: "button", role: "radio", class: "option", "data-answer": answer, "aria-checked": "false", tabindex: -1,
          onclick: () => { move(i); choose(answer); },
        },
        el("span", { class: "mark", "aria-hidden": "true" }),
        el("span", { text: words[`answer_${answer}`] }),
        keycap(String(n + 1)),
      ),
    );
    const row = el(
      "div",
      { class: "row", "data-question": question.code, onmousedown: () => move(i) },
      el("span", { class: "label", id, text: question.label, title: question.question }),
      el(
        "div",
        { class: "options", role: "radiogroup", "aria-labelledby": id, "aria-description": question.question },
        ...options,
      ),
    );
    for (const option of options) option.addEventListener("focus", () => move(i));
    return { element: row, options };
  }

  function draw() {
    const question = questions[at];
    asked.replaceChildren(
      el("span", {
        class: "count",
        text: fill(question.group && question.group !== question.label ? words.question_of_group : words.question_of, {
          number: at + 1, total: questions.length, group: question.group, label: question.label,
        }),
      }),
      " ",
      el("strong", { text: question.question }),
    );
    rows.forEach((row, i) => {
      const answer = given.get(questions[i].code);
      row.element.classList.toggle("current", i === at);
      row.element.classList.toggle("answered", answer !== undefined);
      row.options.forEach((option, n) => {
        const chosen = ANSWERS[n] === answer;
        option.setAttribute("aria-checked", String(chosen));
        option.setAttribute("aria-disabled", String(locked));
        // one stop of the Tab key per group
        option.tabIndex = chosen || (answer === undefined && n === 0) ? 0 : -1;
      });
    });
  }

  function move(i) {
    if (i < 0 || i >= questions.length || i === at) return;
    at = i;
    draw();
    onmove(at);
  }

  function choose(answer) {
    if (locked) return;
    const { code } = questions[at];
    given.set(code, answer);
    draw();
    onanswer(code, answer);
  }

  /** Go to the next question without an answer; stay on the last one when there is none. */
  function next() {
    const order = questions.map((_, n) => (at + 1 + n) % questions.length);
    const open = order.find((i) => !given.has(questions[i].code));
    move(open ?? Math.min(at + 1, questions.length - 1));
  }

  draw();
  return {
    element,
    answers: () => Object.fromEntries(given),
    current: () => at,
    left: () => questions.length - given.size,
    /** Answer the current question and go on. */
    answer(answer) { if (!locked) { choose(answer); next(); } },
    move: (by) => move(at + by),
    /** Move the choice within the group whose option has the focus, as radio buttons do. */
    shift(option, by) {
      const row = rows.find((r) => r.options.includes(option));
      if (!row || locked) return;
      const n = Math.max(0, Math.min(ANSWERS.length - 1, row.options.indexOf(option) + by));
      choose(ANSWERS[n]);
      row.options[n].focus();
    },
    lock(on) { locked = on; draw(); },
    focus() { rows[at].options.find((option) => option.tabIndex === 0).focus(); },
  };
}

/** Return a line that says how many questions are left. */
export function countLeft(number, words) {
  if (number === 0) return words.all_answered;
  return number === 1 ? words.one_left : fill(words.questions_left, { count: number });
}
