// A video is here wholly before it plays: a stall in one of the two would look like a fault of its method.

export class UnplayableError extends Error {}
export class GoneError extends Error {}

/**
 * Fetch `url` into memory, show it in `video` and resolve when its first frame can be seen.
 * Rejects with GoneError (the server has no such video for this person), UnplayableError (it cannot be decoded), or
 * the error of `fetch` (no connection: try again).
 */
export async function loadVideo(video, url, signal) {
  const response = await fetch(url, { signal, credentials: "same-origin" });
  if (response.status >= 500 || response.status === 429) throw new TypeError(`HTTP ${response.status}`);
  if (!response.ok) throw new GoneError(`HTTP ${response.status}`);
  const address = URL.createObjectURL(await response.blob());
  signal.addEventListener("abort", () => URL.revokeObjectURL(address), { once: true });
  await new Promise((resolve, reject) => {
    const refuse = () => reject(new UnplayableError(video.error?.message ?? ""));
    video.addEventListener("error", refuse, { once: true });
    video.addEventListener(
      "loadeddata",
      // sound alone, or a picture of no size, is no video either
      () => (video.videoWidth > 0 && Number.isFinite(video.duration) ? resolve() : refuse()),
      { once: true },
    );
    video.src = address;
    video.load();
  });
}
