// The two videos, the picture they were made from, and the bar that drives both.

import { button, el, fill, icon, keycap } from "./dom.js";
import { GoneError, UnplayableError, loadVideo } from "./loading.js";
import { RATES, Timeline } from "./timeline.js";

const SIDES = ["left", "right"];
const RETRY_SECONDS = 3;

/**
 * Return the stage for `data` {videos: [left, right], image, fps}.
 * `onready(timeline)` is called once when both are here, `onbroken(side)` when one can never be shown,
 * `ontrouble()` while the connection is gone, `onimage()` when the picture is to be seen larger.
 */
export function createStage({ data, words, log, signal, onready, onbroken, ontrouble, onimage }) {
  const panes = SIDES.map((side) => createPane(side, words));
  const image = data.image === null ? null : createPicture(data.image, words, onimage);
  const bar = createBar(words, () => timeline);
  const element = el(
    "section",
    { class: image ? "stage with-image" : "stage", "aria-label": words.videos, "data-state": "loading" },
    el("div", { class: "panes" }, panes[0].element, image, panes[1].element),
    bar.element,
  );
  let timeline = null;

  const loads = panes.map((pane, i) => loadPane(pane, data.videos[i]));
  Promise.all(loads).then((videos) => {
    if (signal.aborted || videos.includes(null)) return;
    timeline = new Timeline(videos, data.fps, log);
    signal.addEventListener("abort", () => timeline.destroy(), { once: true });
    timeline.addEventListener("change", draw);
    element.dataset.state = "ready";
    bar.enable(timeline);
    draw();
    onready(timeline);
  });

  async function loadPane(pane, url) {
    for (;;) {
      try {
        await loadVideo(pane.video, url, signal);
        pane.say(null);
        return pane.video;
      } catch (error) {
        if (signal.aborted) return null;
        if (error instanceof UnplayableError || error instanceof GoneError) {
          log("error", `${pane.side} ${error instanceof GoneError ? "gone" : "unplayable"}`);
          pane.say(error instanceof GoneError ? words.video_gone : words.video_unplayable);
          element.dataset.state = "broken";
          onbroken(pane.side);
          return null;
        }
        pane.say(words.video_waiting, true);
        ontrouble();
        await new Promise((resolve) => setTimeout(resolve, RETRY_SECONDS * 1000));
        if (signal.aborted) return null;
      }
    }
  }

  function draw() {
    bar.draw(timeline);
    panes.forEach((pane, i) => pane.count(timeline.watched[i]));
  }

  return { element };
}

function createPane(side, words) {
  const name = words[`side_${side}`];
  // muted has to be there before the source: only muted videos may start by themselves
  const video = el("video", { muted: true, playsinline: true, preload: "auto", "aria-label": name, disablepictureinpicture: true });
  video.muted = true;
  const watched = el("span", { class: "watched", "data-testid": `watched-${side}` });
  const sentence = el("p", { text: words.loading });
  const message = el("div", { class: "message", role: "status" }, el("div", { class: "spinner", "aria-hidden": "true" }), sentence);
  const element = el(
    "figure",
    { class: "pane", "data-side": side, "data-state": "loading" },
    el("figcaption", {}, el("span", { text: name }), watched),
    el("div", { class: "surround" }, video, message),
  );
  return {
    side, element, video,
    /** Show words over the video, or the video when there are none. */
    say(text, waiting = false) {
      element.dataset.state = text === null ? "ready" : waiting ? "loading" : "broken";
      message.hidden = text === null;
      sentence.textContent = text ?? "";
    },
    count(times) {
      const text = times ? fill(words.watched, { count: times }) : "";
      if (watched.textContent !== text) watched.textContent = text;
    },
  };
}

function createPicture(url, words, onimage) {
  const open = button(el("img", { src: url, alt: words.image_alt }), onimage, { class: "surround picture", title: words.enlarge, "data-testid": "image" });
  return el("figure", { class: "pane given" }, el("figcaption", {}, el("span", { text: words.image })), open);
}

/** Return the transport bar. It counts in frames, so that a step of the slider is a step of the videos. */
function createBar(words, timeline) {
  const act = (name, ...values) => () => timeline()?.[name](...values);
  const control = (name, label, key, short, onclick) =>
    button(icon(name), onclick, { class: "control", "aria-label": label, title: `${label} (${key})`, "data-testid": name, disabled: true }, el("span", { class: "short", text: short }));
  const play = button("", act("toggle"), { class: "control play", "data-testid": "play", disabled: true });
  const speed = el(
    "select",
    { "aria-label": words.speed, title: `${words.speed} ([ ])`, disabled: true, onchange: () => timeline()?.setRate(Number(speed.value)) },
    ...RATES.map((rate) => el("option", { value: rate, text: `${rate}×` })),
  );
  speed.value = "1";
  const loop = control("loop", words.loop, "L", words.loop_short, () => timeline()?.setLoop(!timeline().loop));
  const scrub = el("input", { type: "range", min: 0, step: 1, value: 0, "aria-label": words.position, disabled: true, "data-testid": "scrub" });
  scrub.addEventListener("input", () => timeline()?.seek(Number(scrub.value)));
  const time = el("output", { class: "time", "data-testid": "time", "aria-live": "off", text: "0.00 / 0.00 s" });
  const element = el(
    "div",
    { class: "bar", role: "group", "aria-label": words.controls },
    play,
    control("back", words.back, ",", words.frame, act("step", -1)),
    control("forward", words.forward, ".", words.frame, act("step", 1)),
    control("restart", words.restart, "Home", words.restart_short, act("restart")),
    loop, speed, scrub, time,
  );
  let shown = null;
  showPlaying(false);

  function showPlaying(playing) {
    if (shown === playing) return;
    shown = playing;
    element.dataset.playing = String(playing);
    play.replaceChildren(
      icon(playing ? "pause" : "play"),
      el("span", { text: playing ? words.pause : words.play }),
      keycap(words.space),
    );
  }

  return {
    element,
    enable(line) {
      for (const part of element.querySelectorAll(":disabled")) part.disabled = false;
      scrub.max = String(line.numFrames - 1);
    },
    draw(line) {
      const k = line.frame;
      if (document.activeElement?.shadowRoot?.activeElement !== scrub || line.playing) scrub.value = String(k);
      const seconds = (line.wanted === null ? line.lead.currentTime : k / line.fps).toFixed(2);
      time.textContent = `${seconds} / ${line.duration.toFixed(2)} s`;
      element.dataset.frame = String(k);
      scrub.style.setProperty("--at", String(k / Math.max(1, line.numFrames - 1)));
      showPlaying(line.playing);
      loop.setAttribute("aria-pressed", String(line.loop));
      speed.value = String(line.rate);
    },
  };
}
