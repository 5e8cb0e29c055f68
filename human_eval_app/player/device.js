// Measures what the study needs of a device: a window large enough, a browser that plays the videos, how one points.

import { el, style } from "./dom.js";
import { onlyTouch } from "./gate.js";

const PATIENCE = 8000; // milliseconds for one second of video
const SETTLED = 500;
const checks = new WeakMap();

export default async function show({ data, parentElement, setTriggerValue }) {
  const known = checks.get(parentElement);
  if (known) {
    known.report = setTriggerValue;
    return undefined;
  }
  const check = { report: setTriggerValue };
  checks.set(parentElement, check);
  await style(parentElement, "base.css", "small.css");
  const video = el("video", { playsinline: true, width: 160, height: 90, "aria-hidden": "true" });
  video.muted = true;
  const status = el("p", { role: "status", text: data.words.text, "data-testid": "device-status" });
  const spinner = el("div", { class: "spinner", "aria-hidden": "true" });
  const element = el("div", { class: "device", "data-state": "checking" }, video, spinner, status);
  parentElement.append(element);

  const decodes = await plays(video, "/device/clip.mp4");
  const measure = () => {
    const facts = { width: innerWidth, height: innerHeight, touch: onlyTouch(), decodes, agent: navigator.userAgent.slice(0, 300) };
    element.dataset.state = "measured";
    status.hidden = spinner.hidden = true;
    check.report("measured", facts);
  };
  measure();

  // somebody who makes the window larger should not have to look for a button
  let timer;
  const onresize = () => {
    clearTimeout(timer);
    timer = setTimeout(measure, SETTLED);
  };
  addEventListener("resize", onresize);
  return () => {
    clearTimeout(timer);
    removeEventListener("resize", onresize);
    checks.delete(parentElement);
  };
}

/** Return whether pictures of `url` really appear: canPlayType only says what a browser believes. */
function plays(video, url) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), PATIENCE);
    const end = (answer) => { clearTimeout(timer); resolve(answer); };
    video.addEventListener("error", () => end(false), { once: true });
    video.addEventListener("timeupdate", () => { if (video.currentTime > 0 && video.videoWidth > 0) end(true); });
    video.src = url;
    video.play().catch((error) => end(error.name === "NotAllowedError" && video.videoWidth > 0));
  });
}
