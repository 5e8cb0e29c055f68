"""What a study file may say: who is compared, on what, by how many, in which order, shown how. Frozen before data.

`study_files.py` reads it. The section `analysis:` (dimensions, primary dimension, level, screening rules) is the one
that `univg-bench human report --study` reads too, so a study and its report cannot disagree about the rules.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field

from univg_bench.canonical import digest_of
from univg_bench.human.dimensions import ALIASES, Dimension
from univg_bench.human.plan import MEASURES, Plan, parse_plan
from univg_bench.protocol_fields import Count, Id, InnerPath, Line, Strict

Task = Literal["t2v", "i2v", "ti2v"]
Choice = Literal["G", "S", "B"]
Language = Literal["en", "zh"]
Measure = Literal[
    "straight_line", "left_share", "same_share", "speed", "gold_accuracy", "repeat_consistency", "agreement", "watched",
]  # fmt: skip
assert set(get_args(Measure)) == set(MEASURES), "the schema names the measures that screening knows"


def _check_key(key: str) -> str:
    # item ids of data sets have dots and capitals (video7010.c03); they never become a path
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", key):
        raise ValueError(f"found '{key[:60]}', expected letters, digits, '.', '_' and '-', at most 80, no '.' first")
    return key


Key = Annotated[str, AfterValidator(_check_key)]
Share = Annotated[float, Field(ge=0, le=1)]


class Method(Strict):
    """One maker of videos. Annotators never see either name."""

    id: Key = Field(description="what stands in the ratings and names the folder of its videos")
    label: Line | None = Field(default=None, description="what reports print; the id by default")


class Item(Strict):
    """What every method was given once."""

    id: Key
    prompt: str | None = Field(default=None, min_length=1, max_length=4000)
    image: InnerPath | None = Field(default=None, description="condition image, below the folder of the study")
    category: Line | None = None

    @property
    def task(self) -> Task:
        """The task: what the methods were given."""
        return "ti2v" if self.prompt and self.image else "i2v" if self.image else "t2v"


class KnownPair(Strict):
    """A pair with right answers on some dimensions at least; the other dimensions are asked all the same."""

    item: Key
    method: Key
    other: Key
    expected: dict[str, Choice] = Field(min_length=1, description="dimension: G (method better), S or B")
    why: dict[Language, Line] = Field(
        default_factory=dict, description="what feedback of practice says, as a sentence that names no method"
    )


class Practice(Strict):
    """What everybody begins with, with feedback; never part of a win rate."""

    pairs: tuple[KnownPair, ...] = ()
    pass_pairs: int = Field(default=0, ge=0, description="pairs to answer as expected; 0 passes everybody")
    attempts: Count = Field(default=2, description="rounds of practice before somebody is turned away")


class Gold(Strict):
    """Pairs with known answers, hidden among the others."""

    pairs: tuple[KnownPair, ...] = ()
    per_session: int = Field(default=0, ge=0)


class Repeats(Strict):
    """Pairs that come a second time with their sides swapped."""

    per_session: int = Field(default=0, ge=0)
    gap: Count = Field(default=5, description="at least so many pairs stand between the two times")


class Session(Strict):
    """How much one person does: a break after every session."""

    pairs: Count = Field(default=25, description="gold and repeats included, practice not")
    minutes: Count = Field(default=30, description="what the welcome page says, and when a break is offered early")
    max_sessions: Count = 4


class Presentation(Strict):
    """How both videos of a pair are shown; the import of videos makes them so (`presentation.py`)."""

    resolution: Literal["native", "fit_height", "fit_box"] = "native"
    height: Count | None = Field(default=None, le=4320, description="of fit_height and fit_box: even, in pixels")
    width: Count | None = Field(default=None, le=8192, description="of fit_box; what it leaves free is mid-grey")
    fps: float | None = Field(default=None, gt=0, le=120, description="common frame rate; native by default")
    duration: Literal["native", "trim_to_shortest"] = "native"
    bytes: Literal["native", "equal"] = Field(default="native", description="equal: files of an item are equally long")
    must_watch: Share = Field(default=0.0, description="share of both videos to play before answers are saved")
    min_viewport: tuple[Count, Count] = (1000, 600)
    touch: Literal["refuse", "allow"] = "refuse"


class About(Strict):
    """What people are told before they begin and when they are done; texts by language.

    None of it is the study's `title`, which may name what is compared.
    """

    title: dict[Language, Line] = Field(default_factory=dict, description="heading of the first page")
    who: dict[Language, Line] = Field(default_factory=dict, description="who asks, as a whole sentence")
    contact: Line | None = Field(default=None, description="whom to write to, an address of e-mail for example")
    pay: dict[Language, Line] = Field(default_factory=dict, description="what people get, as a whole sentence")
    minutes: Count | None = Field(default=None, description="length of one session; session.minutes by default")
    consent: dict[Language, InnerPath] = Field(
        default_factory=dict, description="text (Markdown) below the folder of the study; by default one of ours"
    )
    completion_code: Line | None = Field(default=None, description="shown at the end to who came with a code")


class Prolific(Strict):
    """People who come from Prolific; without this section nobody can."""

    completion_code: Line = Field(description="of the return link at the end, for who has rated something")
    no_work_code: Line | None = Field(default=None, description="for who came when nothing was left to rate")
    screened_out_code: Line | None = Field(default=None, description="for who failed the practice")


class DimensionSpec(Strict):
    """A dimension of the study's own."""

    code: Key
    name: Line
    question: Line
    group: str = ""
    needs: Literal["", "text", "image"] = ""


class RuleSpec(Strict):
    """A rule of screening (docs/human_statistics.md)."""

    measure: Measure
    min: float | None = Field(default=None, ge=0, le=1e6)
    max: float | None = Field(default=None, ge=0, le=1e6)
    min_count: int = Field(default=10, ge=1, le=1_000_000)


class Bootstrap(Strict):
    draws: int = Field(default=10_000, ge=100, le=1_000_000)
    seed: int = Field(default=0, ge=0, le=2**32)


class Analysis(Strict):
    """What is fixed before data are looked at; keys that are absent keep the defaults of docs/human_statistics.md."""

    dimensions: Annotated[tuple[Key | DimensionSpec, ...], Field(min_length=1)] | None = None
    primary: Key | None = None
    level: float | None = Field(default=None, ge=0.5, le=0.9999)
    bootstrap: Bootstrap | None = None
    screening: tuple[RuleSpec, ...] | None = None


class Study(Strict):
    """A whole study file."""

    schema_: Literal["univg-bench/study/1"] = Field(alias="schema")
    id: Id
    version: Count
    title: Line
    seed: int = Field(default=0, ge=0, le=2**32, description="of every order and place")
    languages: Annotated[tuple[Language, ...], Field(min_length=1)] = ("en",)
    about: About = About()
    prolific: Prolific | None = None
    methods: Annotated[tuple[Method, ...], Field(min_length=2)]
    ours: Key = Field(description="the method that G speaks for")
    others: Annotated[tuple[Key, ...], Field(min_length=1)]
    items: tuple[Item, ...] = ()
    items_file: InnerPath | None = Field(default=None, description=".jsonl, one item per line, beside this file")
    ask: dict[Task, Annotated[tuple[Key, ...], Field(min_length=1)]] = Field(
        default_factory=dict, description="dimensions by task; by default all whose needs the task meets"
    )
    ratings_per_pair: Count
    lease_minutes: int = Field(default=30, ge=1, le=1440, description="after it, an unanswered pair goes to others")
    code_days: Count = Field(default=30, description="how long a code lets somebody in")
    retention_days: Count | None = Field(
        default=None, description="days after their last answer, until what ties an alias to a person is to be removed"
    )
    practice: Practice = Practice()
    gold: Gold = Gold()
    repeats: Repeats = Repeats()
    session: Session = Session()
    presentation: Presentation = Presentation()
    peek: bool = Field(default=False, description="whether results may be seen before the study is closed; logged")
    analysis: Analysis = Analysis()

    @cached_property
    def plan(self) -> Plan:
        """The rules of the analysis, as reports use them. Raises InputError where they do not fit together."""
        section = self.analysis.model_dump(mode="json", exclude_unset=True)
        plan = parse_plan({key: value for key, value in section.items() if value is not None}, where="analysis")
        return replace(plan, source=self.slug)

    def questions(self, item: Item) -> tuple[Dimension, ...]:
        """Return what is asked about a pair of `item`, in the order of the plan."""
        given = {"": True, "text": item.prompt is not None, "image": item.image is not None}
        codes = {ALIASES.get(code, code) for code in self.ask.get(item.task, ())}
        return tuple(d for d in self.plan.dimensions if given[d.needs] and (not codes or d.code in codes))

    @property
    def slug(self) -> str:
        """`id@version`: the study's name in a database."""
        return f"{self.id}@{self.version}"

    @property
    def digest(self) -> str:
        """SHA-256 of the whole meaning: another digest is another study."""
        content: dict[str, Any] = self.model_dump(mode="json", by_alias=True)
        return digest_of({"study": content, "plan": self.plan.digest})
