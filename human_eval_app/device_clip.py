"""A second of H.264 for the device check: who cannot play it could not rate, and learns so before the first pair."""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT, FPS, FRAMES = 320, 192, 24, 24


def write_device_clip(dest: Path) -> None:
    """Write a grey ramp with a bar that crosses it in one second; encoded as presentation copies are."""
    ramp = np.linspace(64, 192, WIDTH).astype(np.uint8)
    with av.open(dest, "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "23", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for k in range(FRAMES):
            image = np.broadcast_to(ramp[None, :, None], (HEIGHT, WIDTH, 3)).copy()
            left = k * (WIDTH - 16) // (FRAMES - 1)
            image[:, left : left + 16] = (230, 230, 230)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    os.utime(dest, (0, 0))
