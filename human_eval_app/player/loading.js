// A video is here wholly before it plays: a stall in one of the two would look like a fault of its method.

export class UnplayableError extends Error {}
export class GoneError extends Error {}

/**
 * Fetch `url` into memory, show it in `video` and resolve when its first frame can be seen.
 * Rejects with GoneError (the server has no such video for this person), UnplayableError (it cannot be decoded), or
 * the error of `fetch` (no connection: try again).
 */
export async function loadVideo(video, url, signal, onProgress) {
  const response = await fetch(url, { signal, credentials: "same-origin" });
  if (response.status >= 500 || response.status === 429) throw new TypeError(`HTTP ${response.status}`);
  if (!response.ok) throw new GoneError(`HTTP ${response.status}`);
  const blob = await readAll(response, onProgress);
  const address = URL.createObjectURL(blob);
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

async function readAll(response, onProgress) {
  const total = Number(response.headers.get("Content-Length")) || 0;
  const parts = [];
  let received = 0;
  const reader = response.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    received += part.value.length;
    onProgress(total ? Math.min(1, received / total) : 0);
  }
  return new Blob(parts, { type: "video/mp4" });
}
