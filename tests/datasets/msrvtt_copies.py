"""Synthetic copies of MSR-VTT's annotations in each form in circulation; the captions are made up here."""

import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

TEST_IDS = range(7010, 10000)


def caption(video: int, number: int) -> str:
    return f"caption {number} of clip {video}"


def split_of(video: int) -> str:
    return "train" if video <= 6512 else "validate" if video <= 7009 else "test"


def annotations(
    videos: Iterable[int],
    *,
    captions: int = 20,
    split: Callable[[int], str] = split_of,
    shuffled: bool = True,
    text: Callable[[int, int], str] = caption,
) -> dict[str, Any]:
    """Return the published structure: keys with a space, two lists whose orders have nothing to do with each other."""
    listed = [
        {
            "category": video % 20,
            "url": f"https://example.org/{video}",
            "video_id": f"video{video}",
            "start time": 1.0,
            "end time": 11.5,
            "split": split(video),
            "id": video,
        }
        for video in videos
    ]
    sentences = [
        {"caption": text(entry["id"], number), "video_id": entry["video_id"], "sen_id": place * captions + number}
        for place, entry in enumerate(listed)
        for number in range(captions)
    ]
    if shuffled:
        random.Random(0).shuffle(sentences)
        random.Random(1).shuffle(listed)
    return {"info": {"year": "2016"}, "videos": listed, "sentences": sentences}


def write_2016(root: Path, data: dict[str, Any] | None = None) -> Path:
    return write(root / "test_videodatainfo.json", data or annotations(TEST_IDS))


def write_clip4clip(root: Path, videos: Iterable[int], *, lists: bool = True) -> None:
    write(root / "msrvtt_data" / "MSRVTT_data.json", annotations(videos, captions=3))
    if lists:
        train = "".join(f"video{number}\n" for number in range(9000))
        (root / "msrvtt_data" / "MSRVTT_train.9k.csv").write_text(f"video_id\n{train}")
        write_jsfusion(root / "msrvtt_data" / "MSRVTT_JSFUSION_test.csv")


def write_jsfusion(path: Path) -> list[int]:
    ids = list(range(7020, 9976, 2))[:1000]
    rows = "".join(f'ret{i},msr{video},video{video},"a clip, number {video}"\n' for i, video in enumerate(ids))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"key,vid_key,video_id,sentence\n{rows}")
    return ids


def write_frozen(root: Path, videos: Iterable[int]) -> None:
    """Write the COCO form of Frozen in Time's zip: no `videos`, no split, `image_id` for the video."""
    data = annotations(videos, captions=3)
    coco = [{"image_id": row["video_id"], "caption": row["caption"], "id": row["sen_id"]} for row in data["sentences"]]
    write(root / "MSRVTT" / "annotation" / "MSR_VTT.json", {"annotations": coco, "type": "captions"})


def write(path: Path, data: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    return path


def add_videos(folder: Path, videos: Iterable[int], *, suffix: str = ".mp4") -> None:
    """Write files that are there; nobody decodes them in these tests."""
    folder.mkdir(parents=True, exist_ok=True)
    for video in videos:
        (folder / f"video{video}{suffix}").write_bytes(b"x")
