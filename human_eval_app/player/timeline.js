// Two videos on one timeline, counted in frames: frame k is shown by seeking into the middle of its time.
//
// That is what makes a step exact: at the edge of a frame a decoder may show either neighbour.
// The longer video leads; the shorter one holds its last frame until both begin again together.

// A little past the middle, because the middle of a frame at 30 fps can be the very edge of one at 24 fps
// (12.5 / 30 = 10 / 24): with 0.5, 9 of 150 positions showed the frame before; with 0.55 none did.
const MIDDLE = 0.55;

const DRIFT = 0.12; // seconds; below it two frames of 8 fps video look the same, and seeking oftener stutters
export const RATES = [0.25, 0.5, 0.75, 1, 1.5, 2];

/** A timeline over `videos` (two elements that know their duration) at `fps`. `log(kind, value)` hears what happens. */
export class Timeline extends EventTarget {
  constructor(videos, fps, log) {
    super();
    this.videos = videos;
    this.fps = fps;
    this.log = log;
    this.durations = videos.map((video) => video.duration);
    this.duration = Math.max(...this.durations);
    this.numFrames = Math.max(1, Math.round(this.duration * fps));
    this.lead = videos[this.durations.indexOf(this.duration)];
    this.rate = 1;
    this.loop = true;
    this.playing = false;
    this.wanted = null; // the frame last asked for while paused; null while playing
    this.played = new Uint8Array(this.numFrames); // frames shown while playing, ever
    this.pass = new Uint8Array(this.numFrames); // the same since this pass began
    this.watched = videos.map(() => 0);
    this.done = false;
    this.turn = 0; // counts what was asked for, so that what was asked before does not come after it
    this.lead.addEventListener("ended", this.onEnded);
    document.addEventListener("visibilitychange", this.onVisibility);
    this.tick();
  }

  destroy() {
    this.done = true;
    cancelAnimationFrame(this.request);
    this.lead.removeEventListener("ended", this.onEnded);
    document.removeEventListener("visibilitychange", this.onVisibility);
    for (const video of this.videos) video.pause();
  }

  /** The frame that is shown now. */
  get frame() {
    if (this.wanted !== null) return this.wanted;
    return Math.min(this.numFrames - 1, Math.floor(this.lead.currentTime * this.fps + 1e-6));
  }

  /** The share of both videos that was shown while playing, 0 to 1: the smaller of the two. */
  get share() {
    return Math.min(...this.durations.map((seconds) => share(this.played, this.framesOf(seconds))));
  }

  async play() {
    if (this.playing || this.done) return;
    if (this.frame >= this.numFrames - 1 && !(await this.arrive(0))) return;
    this.playing = true;
    this.wanted = null;
    this.log("play", null);
    try {
      await this.start();
    } catch (error) {
      // AbortError: paused again before it began. NotAllowedError: the browser wants a click first.
      if (error.name !== "AbortError") this.stop();
    }
    this.changed();
  }

  /** Stop both on the same frame. */
  async pause() {
    if (!this.playing) return;
    this.log("pause", this.frame);
    this.stop();
    await this.show(this.frame);
  }

  toggle() {
    return this.playing ? this.pause() : this.play();
  }

  /** Stop and go `by` frames on; back with a negative number. */
  async step(by) {
    const from = this.frame;
    this.stop();
    this.log("step", by);
    await this.show(from + by);
  }

  /** Stop and show frame k. */
  async seek(k) {
    this.stop();
    this.log("seek", k);
    await this.show(k);
  }

  /** Begin again with the first frame, playing. */
  async restart() {
    this.log("seek", 0);
    this.stop();
    if (await this.arrive(0)) await this.play();
  }

  setRate(rate) {
    this.rate = rate;
    for (const video of this.videos) video.playbackRate = rate;
    this.log("rate", rate);
    this.changed();
  }

  faster(by) {
    const at = RATES.indexOf(this.rate) + by;
    if (at >= 0 && at < RATES.length) this.setRate(RATES[at]);
  }

  setLoop(on) {
    this.loop = on;
    this.log("loop", on ? 1 : 0);
    this.changed();
  }

  // ------------------------------------------------------------------------------------------------ how it is done

  /** The time at which video i shows its last frame. */
  last(i) {
    return this.durations[i] - (1 - MIDDLE) / this.fps;
  }

  framesOf(seconds) {
    return Math.max(1, Math.min(this.numFrames, Math.round(seconds * this.fps)));
  }

  stop() {
    this.playing = false;
    this.turn += 1;
    for (const video of this.videos) video.pause();
  }

  /** Show frame k in both; resolves when both show it. A newer call overtakes an older one. */
  async show(k) {
    this.wanted = Math.max(0, Math.min(this.numFrames - 1, k));
    this.changed();
    const time = (this.wanted + MIDDLE) / this.fps;
    await Promise.all(this.videos.map((video, i) => seekTo(video, Math.min(time, this.last(i)))));
  }

  /** Show frame k and return whether nothing else was asked for meanwhile. */
  async arrive(k) {
    const { turn } = this;
    await this.show(k);
    return turn === this.turn;
  }

  /** Play both from where they stand; the shorter one only while it has something left. */
  start() {
    const time = this.lead.currentTime;
    return Promise.all(
      this.videos.map((video, i) => {
        video.playbackRate = this.rate;
        return video === this.lead || time < this.last(i) ? video.play() : null;
      }),
    );
  }

  onEnded = async () => {
    if (!this.playing) return;
    // the last tick came before the end
    this.mark(this.numFrames - 1);
    this.durations.forEach((seconds, i) => {
      if (share(this.pass, this.framesOf(seconds)) > 0.9) this.watched[i] += 1;
    });
    this.pass.fill(0);
    this.marked = undefined;
    if (!this.loop) {
      this.stop();
      this.wanted = this.numFrames - 1;
      this.changed();
      return;
    }
    // both are back at the beginning before either starts
    for (const video of this.videos) video.pause();
    await Promise.all(this.videos.map((video) => seekTo(video, 0)));
    if (this.playing && !this.done) await this.start().catch(() => {});
    this.changed();
  };

  onVisibility = () => {
    if (document.hidden) {
      this.resume = this.playing;
      this.log("hidden", null);
      this.stop(); // what nobody sees is not watched
    } else {
      this.log("visible", null);
      if (this.resume) this.play();
    }
    this.changed();
  };

  tick = () => {
    if (this.done) return;
    this.request = requestAnimationFrame(this.tick);
    if (!this.playing || this.lead.seeking || this.lead.ended) return;
    this.mark(this.frame);
    this.keepTogether();
    this.changed();
  };

  /** Count the frames from the last tick's to k as played, unless the time jumped. */
  mark(k) {
    const from = this.marked !== undefined && k >= this.marked && k - this.marked < this.fps ? this.marked : k;
    this.played.fill(1, from, k + 1);
    this.pass.fill(1, from, k + 1);
    this.marked = k;
  }

  keepTogether() {
    const time = this.lead.currentTime;
    this.videos.forEach((video, i) => {
      if (video === this.lead || video.seeking || time >= this.last(i)) return;
      const drift = video.currentTime - time;
      if (Math.abs(drift) <= DRIFT) return;
      this.log("resync", Math.round(drift * 1000));
      video.currentTime = time;
      if (video.paused) video.play().catch(() => {});
    });
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }
}

function share(frames, count) {
  let shown = 0;
  for (let k = 0; k < count; k++) shown += frames[k];
  return shown / count;
}

/** Resolves when `video` shows the picture at `time`. */
function seekTo(video, time) {
  if (Math.abs(video.currentTime - time) < 1e-6 && !video.seeking) return Promise.resolve();
  return new Promise((resolve) => {
    video.addEventListener("seeked", resolve, { once: true });
    video.currentTime = time;
  });
}
