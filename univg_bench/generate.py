"""Run a model over a protocol's items into the sample store; repeat it to do the rest.

Every sample is committed by itself (`made.py`), so kill -9 loses the one that each worker was at. The same command
again makes only what is missing or was made otherwise: under another key, that is by other weights, options, type of
numbers or from another image. The manifest is written at the end from the records, by one process, so that it holds
the samples of one model or none, and the run ends with the same bytes however often it was stopped.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path

from univg_bench.atomic import machine_faults, sweep, write_bytes
from univg_bench.canonical import canonical_json, digest_of
from univg_bench.console import Console
from univg_bench.datasets import ItemSet
from univg_bench.datasets.images import image_digests
from univg_bench.datasets.items import name_some
from univg_bench.engine.local import run_chunks
from univg_bench.errors import InputError
from univg_bench.importing import refuse_another_run, run_folder, save_run
from univg_bench.index import sole_writer
from univg_bench.made import ModelCall, Order, loaded, make_sample, model_digest, read_made, unload
from univg_bench.model import ModelCard
from univg_bench.plan import PlannedSample, Shard, asked_digest, images_of, plan_samples
from univg_bench.problems import SUSPICIOUS, Needs, Problem, find_problems
from univg_bench.protocol import Protocol
from univg_bench.samples import (
    INDEX_SCHEMA,
    MODEL_SCHEMA,
    ROWS_PER_PART,
    Index,
    IndexFacts,
    Row,
    Run,
    RunFacts,
    json_bytes,
    part_bytes,
)


@dataclass(frozen=True)
class Generated:
    """What a generation did.

    made, reused: samples made now, and those of the asked ones that were there. finished: whether the manifest was
    written; a shard leaves that to the command without --shard. good: samples in it. problems: of the manifest.
    remarks: what is not as the protocol asks, though it does not fix it.
    """

    run: Run
    card: ModelCard
    made: int
    reused: int
    finished: bool
    good: int
    problems: Sequence[Problem]
    remarks: Sequence[str]


def generate_samples(
    protocol: Protocol,
    items: ItemSet,
    call: ModelCall,
    *,
    data: Path,
    runs: Path,
    name: str | None = None,
    images: Path | None = None,
    base_seed: int = 0,
    workers: int = 1,
    limit: int | None = None,
    shard: Shard | None = None,
    console: Console | None = None,
) -> Generated:
    """Bring the run of a model under `protocol` up to date: make the samples that it lacks.

    items: with their condition images, or real videos where the images are frames of them. name: of the run; None: the
    model's own. data, images: the folders that the items came from; the run notes them for its evaluation. limit: only
    the first so many samples, for a trial; the others are missing in the manifest. shard: only these samples, and no
    manifest, so that several machines may fill one run.

    Raises InputError when the model cannot do what the protocol asks, or the folder holds a run of something else;
    what `make_sample` raises; InfrastructureError when a worker dies. Everything committed before stays.
    """
    console = console or Console(quiet=True)
    pictures = images_of(protocol, items)
    unload()  # its weights may have changed since this process loaded it
    try:
        card = loaded(call).card
        _check_card(card, protocol)
        folder = _folder(runs, protocol, card, name)
        order = Order(call, protocol, folder, asked_digest(protocol), model_digest(card, call))
        conditions = image_digests(items)
        facts = RunFacts(
            protocol_id=protocol.id,
            protocol_version=protocol.version,
            protocol_digest=protocol.digest,
            items_digest=items.digest,
            model=folder.name,
            expected=len(items) * protocol.generation.samples_per_item,
            origin="generate",
            source=call.model,
            data=str(data.absolute()),
            layout="",
            conditions_digest=digest_of(conditions) if conditions else "",
            allow_missing=False,
            images=str(images.absolute()) if images else "",
        )
        refuse_another_run(folder, facts)
        with sole_writer(folder, shared=shard is not None), machine_faults(f"write {folder}"):
            _begin(Run(folder, facts), order, card, conditions, base_seed, alone=shard is None)
            plan = partial(plan_samples, protocol, items, pictures, base_seed=base_seed)
            mine = [s for at, s in enumerate(islice(plan(), limit)) if shard is None or shard.has(at)]
            todo = [sample for sample in mine if read_made(order, sample) is None]
            console.note(
                f"{folder}: {len(mine) - len(todo)} of {len(mine)} samples are there, {len(todo)} are made now"
            )
            if workers > 1 and len(todo) > 1:
                unload()  # the workers have their own, and memory for one more may be short
            work = run_chunks(partial(make_sample, order), todo, workers=workers)
            for _ in console.progress(work, total=len(todo), title="generate", unit="video"):
                pass
            run, done = Run(folder, facts), (len(todo), len(mine) - len(todo))
            if shard is not None:
                return Generated(run, card, *done, finished=False, good=0, problems=(), remarks=())
            good = _write_manifest(order, facts, plan(), limit)
        found = tuple(find_problems(run.rows(), Needs.of_samples(protocol)))
        return Generated(run, card, *done, True, good, found, tuple(_remarks(run, protocol)))
    finally:
        unload()


def tell(done: Generated, console: Console) -> list[Problem]:
    """Say what a generation did and what a person should know of it; return the suspicious samples."""
    facts, card = done.run.facts, done.card
    for note in card.notes:
        console.note(f"{card.name}: {note}")
    if not card.weights:
        console.note(f"note: {card.name} names no weights, so samples of other weights cannot be told from these")
    for remark in done.remarks:
        console.warn(remark)
    suspicious = [p for p in done.problems if p.kind in SUSPICIOUS]
    if suspicious:
        console.warn(
            f"{len(suspicious)} remarks on videos that may be right: "
            + name_some(f"{p.name} ({p.kind})" for p in suspicious)
        )
    if done.finished:
        console.say(f"{done.run.folder}: {done.good} of {facts.expected} samples are there")
    else:
        console.say(
            f"{done.run.folder}: this shard is done; when all are, the command without --shard finishes the run"
        )
    console.note(f"{done.made} samples were made, {done.reused} were there")
    return suspicious


def _check_card(card: ModelCard, protocol: Protocol) -> None:
    """Raise InputError for what the card says that the model cannot do, before anything is made."""
    given = [("text", protocol.conditions.text), ("image", protocol.conditions.image is not None)]
    for condition, wanted in given:
        if wanted and condition not in card.accepts:
            raise InputError(
                f"protocol {protocol.id} gives the model {condition}, but {card.name} takes"
                f" {' and '.join(sorted(card.accepts)) or 'nothing'}; take another protocol or model"
            )
    wanted_frames, (least, most) = protocol.generation.num_frames, card.num_frames
    if wanted_frames is not None and not least <= wanted_frames <= most:
        raise InputError(
            f"protocol {protocol.id} asks for {wanted_frames} frames, but {card.name} makes {least} to {most}; take"
            " another protocol or model"
        )


def _folder(runs: Path, protocol: Protocol, card: ModelCard, name: str | None) -> Path:
    try:
        return run_folder(runs, protocol, card.name if name is None else name)
    except InputError as error:
        raise error if name is not None else InputError(f"{error}; name the run with --name") from error


def _begin(
    run: Run, order: Order, card: ModelCard, conditions: Mapping[str, str], base_seed: int, *, alone: bool
) -> None:
    """Write everything that says what the run is, and that it is not finished. alone: nobody else is filling it."""
    folder = run.folder
    if not (folder / "run.json").is_file() and ((folder / "samples").exists() or (folder / "manifest").exists()):
        raise InputError(f"{folder} holds files that no run of ours describes; give another --dest")
    stored = run.model_facts()
    if stored is not None and stored.get("base_seed") != base_seed:
        raise InputError(
            f"{folder} holds samples of base seed {stored.get('base_seed')}, this command says {base_seed}; they are"
            " two runs: give this one another --name"
        )
    if alone:
        # what a stopped command left, unless another shard is just writing it
        sweep(folder / "samples")
        sweep(folder / "manifest")
    # first of all: from here on nothing may read a manifest that speaks of other samples
    write_bytes(folder / "index.json", json_bytes(INDEX_SCHEMA, _facts_of_index(run.facts, complete=False)))
    save_run(folder, order.protocol, run.facts)
    if conditions:
        write_bytes(folder / "conditions.json", canonical_json(conditions) + b"\n")
    call = order.call
    facts = {
        "schema": MODEL_SCHEMA,
        "model": call.model,
        "options": dict(call.options),
        "dtype": call.dtype,
        "device": call.device.partition(":")[0],
        "base_seed": base_seed,
        "digest": order.model_digest,
        "card": {**asdict(card), "accepts": sorted(card.accepts)},
    }
    write_bytes(folder / "model.json", (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode())


def _facts_of_index(facts: RunFacts, *, complete: bool) -> IndexFacts:
    # the files lie in the run, as copies do, and came from nowhere else
    return IndexFacts("copy", "", facts.expected, complete=complete)


def _write_manifest(order: Order, facts: RunFacts, plan: Iterator[PlannedSample], limit: int | None) -> int:
    """Write the manifest from the records of the samples; return how many of them are there."""
    good, index = 0, Index(order.folder)
    for part in count():
        rows = [_row(order, sample) for sample in islice(plan, ROWS_PER_PART)]
        if not rows:
            break
        good += sum(row.ok for row in rows)
        path, content = index.part_path(part), part_bytes(rows)
        if not path.is_file() or path.read_bytes() != content:
            write_bytes(path, content)
    assert limit is not None or good == facts.expected, "whatever was not there was made"
    write_bytes(order.folder / "index.json", json_bytes(INDEX_SCHEMA, _facts_of_index(facts, complete=True)))
    return good


def _row(order: Order, sample: PlannedSample) -> Row:
    missing = Row(name=sample.name, status="missing", error="it was not generated yet")
    return read_made(order, sample) or missing


def _remarks(run: Run, protocol: Protocol) -> Iterator[str]:
    """Yield a sentence for everything that the protocol asks for without fixing it, and the model made otherwise."""
    generation, other = protocol.generation, Counter[str]()
    for row in run.rows():
        if not row.ok:
            continue
        if generation.num_frames not in (None, row.frames):
            other[f"{row.frames} frames instead of {generation.num_frames}"] += 1
        if generation.height not in (None, row.height) or generation.width not in (None, row.width):
            asked = f"{generation.width or 'any'}x{generation.height or 'any'}"
            other[f"{row.width}x{row.height} pixels instead of {asked}"] += 1
        if generation.fps is not None and abs(row.fps - generation.fps) > 1e-6 * generation.fps:
            other[f"{row.fps:g} frames per second instead of {generation.fps:g}"] += 1
    for words, samples in other.items():
        yield f"{samples} samples have {words}, which the protocol asks for and does not fix"
