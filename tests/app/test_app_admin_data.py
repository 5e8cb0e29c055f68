"""The numbers behind the admin page: those of the command line, and right where they can be counted by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from human_eval_app.admin.charts import COLUMNS, bins, coverage_map, for_page, progress_bars
from human_eval_app.admin.coverage import HOUR_MS, Coverage, Pace, PairCoverage, coverage, pace
from human_eval_app.admin.exports import ratings_bytes, report_bytes
from human_eval_app.admin.passwords import COST
from human_eval_app.admin.people import people
from human_eval_app.admin.reasons import SHARES, in_words, rule_in_words, verdict_in_words
from human_eval_app.admin.results import note_look, results_of, state_of
from human_eval_app.admin.server import Desk
from human_eval_app.admin.side_by_side import both_table
from human_eval_app.handing_out import Handed, next_pair, release_expired
from human_eval_app.tables import AUDIT
from tests.app.app_admin import admin_desk, rated
from tests.app.app_study import GOLD, PRACTICE, Clock, answer, open_store, rate_all, small_study
from tests.app.app_study import people as new_people
from univg_bench.cli import run
from univg_bench.errors import InputError
from univg_bench.human.gsb_figures import INK, answer_bars
from univg_bench.human.gsb_report import shown_dimensions
from univg_bench.human.gsb_tables import agreement_table, rates_csv, table2
from univg_bench.human.plan import MEASURES, Rule
from univg_bench.human.screening import Measured, Screened, Verdict


@pytest.fixture(scope="module")
def closed(tmp_path_factory) -> Iterator[Desk]:
    """A closed study with one careless annotator."""
    before = COST["n"]
    COST["n"] = 2
    desk = admin_desk(tmp_path_factory.mktemp("closed") / "study", items=15)
    COST["n"] = before
    rated(desk, honest=6, careless=1)
    desk.store.close(who="test")
    yield desk
    desk.store.database.close()


def test_numbers_and_report_are_those_of_the_command_on_the_exported_file(closed: Desk, tmp_path: Path):
    exported, out = tmp_path / "ratings.csv", tmp_path / "report"
    exported.write_bytes(ratings_bytes(closed.store, ".csv", who="admin"))
    assert run(["-q", "human", "report", str(exported), "--study", str(closed.folder.path / "study.yaml"),
                "--out", str(out), "--title", closed.store.study.title]) == 0  # fmt: skip
    found = results_of(closed.store)
    assert found.passed is not None
    assert sum(s.excluded for s in found.screened) == 1
    level = found.passed.plan.level
    shown = table2(found.passed.rates, shown_dimensions(found.passed), level=level)
    assert shown.csv() == (out / "table2.csv").read_text()
    assert rates_csv(found.passed.rates, level=level) == (out / "win_rates.csv").read_text()
    assert rates_csv(found.everybody.rates, level=level) == (out / "win_rates_all_annotators.csv").read_text()
    assert agreement_table(found.passed.agreements).csv() == (out / "agreement.csv").read_text()
    theirs = (out / "report.html").read_text()
    assert found.passed.plan.digest[:16] in theirs
    ours = report_bytes(closed.store, who="admin").decode()
    tables = re.compile(r"<table>.*?</table>", re.DOTALL)
    assert tables.findall(ours) == tables.findall(theirs)
    assert len(tables.findall(ours)) >= 5


def test_all_annotators_are_those_of_the_command_for_everybody(closed: Desk, tmp_path: Path):
    exported, out = tmp_path / "ratings.csv", tmp_path / "rates.csv"
    exported.write_bytes(ratings_bytes(closed.store, ".csv", who="admin"))
    study = str(closed.folder.path / "study.yaml")
    assert run(["-q", "human", "winrate", str(exported), "--study", study, "--everybody", "--out", str(out)]) == 0
    everybody = results_of(closed.store).everybody
    assert out.read_text() == rates_csv(everybody.rates, level=everybody.plan.level)


def test_both_table_has_a_row_for_each_group(closed: Desk):
    found = results_of(closed.store)
    assert found.passed is not None
    table = both_table(found.passed, found.everybody)
    assert [row[0] for row in table.rows] == ["frozen, passed", "frozen, all", "plain, passed", "plain, all"]
    assert table.rows[0] != table.rows[1]


def test_results_and_looks_are_refused_while_hidden(url: str, tmp_path: Path):
    store = open_store(url, small_study(tmp_path))
    rate_all(store, new_people(store, 1)[0])
    with pytest.raises(InputError, match="close it first"):
        results_of(store)
    with pytest.raises(InputError, match="close it first"):
        note_look(store, who="admin", state=state_of(store))
    with store.database.read() as connection:
        assert "peek" not in [row.what for row in connection.execute(select(AUDIT))]


def test_state_changes_with_every_answer_and_withdrawal_and_with_nothing_else(url: str, tmp_path: Path):
    store = open_store(url, small_study(tmp_path))
    who, other = new_people(store, 2)
    states = [state_of(store)]
    pair = next_pair(store, who.id)
    assert isinstance(pair, Handed)
    assert state_of(store) == states[-1]
    answer(store, who, pair)
    states.append(state_of(store))
    answer(store, who, pair, "right", revise=True)
    states.append(state_of(store))
    store.withdraw(other.id, who="test")
    states.append(state_of(store))
    assert len(set(states)) == 4
    store.close(who="test")
    assert state_of(store) == states[-1]


def test_coverage_counts_what_counts(url: str, tmp_path: Path):
    clock = Clock()
    store = open_store(url, small_study(tmp_path, items=4, target=2), clock)
    first, second, third, fourth = new_people(store, 4)
    rate_all(store, first)  # four pairs
    pair = next_pair(store, second.id)
    assert isinstance(pair, Handed)
    store.flag(second.id, pair.id, reason="black")
    held = next_pair(store, second.id)
    rate_all(store, third)
    store.withdraw(third.id, who="test")
    found = coverage(store)
    assert (found.num_done, found.num_leased, found.num_wanted, found.num_complete) == (4, 1, 8, 0)
    assert [pair.done for pair in found.pairs] == [1, 1, 1, 1]
    assert isinstance(held, Handed)
    assert [pair.item for pair in found.pairs if pair.leased] == [held.item]
    assert [(flag.alias, flag.item, flag.reason) for flag in found.flags] == [(second.alias, pair.item, "black")]
    assert {found.flags[0].left, found.flags[0].right} == {"ours", "theirs"}
    assert (found.flags[0].left == "ours") == (pair.side == "left")
    assert not found.closed
    # a lease that ran out is shown as such and holds nothing
    clock.seconds += 31 * 60
    assert [lease.live for lease in coverage(store).leases] == [False]
    assert coverage(store).num_leased == 0
    release_expired(store)
    assert coverage(store).leases == ()
    rate_all(store, fourth)
    rate_all(store, second)
    store.close(who="test")
    assert coverage(store).closed
    assert coverage(store).expected_end_ms() is None


def test_more_than_was_wanted_fills_no_other_pair():
    pairs = tuple(PairCoverage(k, f"i{k}", "a", "b", done, 0, 0) for k, done in enumerate((3, 0)))
    found = Coverage(False, 2, pairs, (), (), Pace(4.0, 1.0, ()), 0)
    assert (found.num_done, found.num_wanted, found.num_complete) == (2, 4, 1)
    assert found.expected_end_ms() == HOUR_MS // 2


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        ([], None),
        ([1, 2, 3, 4], None),  # too few to tell
        ([48] * 10, None),  # long ago
        ([0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5], 2.0),  # a study of five hours
        ([*range(25), 100], 25 / 24),  # the last day only, both ends
        ([0.01] * 10, 40.0),  # all within a minute: no faster than a quarter of an hour tells
    ],
)
def test_pace_is_of_the_last_day(ago: list[float], expected: float | None):
    now = 1_800_000_000_000
    found = pace([now - int(hours * HOUR_MS) for hours in ago], now)
    assert found.pairs_per_hour == (None if expected is None else pytest.approx(expected))


def test_people_are_in_the_state_that_they_are_in(url: str, tmp_path: Path):
    clock = Clock()
    store = open_store(url, small_study(tmp_path, items=6, target=3, more=PRACTICE + GOLD), clock)
    rating, practising, failing, gone, _, away = new_people(store, 6)
    for who, clicked in ((away, None), (failing, "wrong")):
        while isinstance(pair := next_pair(store, who.id), Handed):
            wrong = "left" if pair.side == "right" else "right"
            answer(store, who, pair, wrong if clicked else pair.side, seconds=40.0)
    clock.seconds += 3600
    rate_all(store, rating)
    next_pair(store, practising.id)
    rate_all(store, gone)
    store.withdraw(gone.id, who="test")
    found = people(store)
    assert [p.state for p in found] == [
        "rating now", "practising", "practice failed", "withdrawn", "not started", "away"
    ]  # fmt: skip
    assert found[5].median_seconds == 40.0
    assert found[0].median_seconds is None  # the browser said nothing
    assert found[0].main > 0
    assert found[0].practice == 2
    clock.seconds += 31 * 86_400
    assert people(store)[4].state == "code expired"


@pytest.mark.parametrize("hours", [0, 1, 47, 49, 1000])
def test_bins_hold_every_recent_rating_once(hours: int):
    now = 1_800_000_000_000
    times = [now - hours * HOUR_MS, now - HOUR_MS // 2, now]
    size, counted = bins(times, now)
    starts = [start for start, _ in counted]
    assert starts == list(range(starts[0], starts[-1] + 1, size))
    assert starts[-1] <= now < starts[-1] + size
    assert sum(num for _, num in counted) == sum(t >= starts[0] for t in times)


@pytest.mark.parametrize(("num", "others"), [(1, 1), (59, 1), (60, 2), (61, 3), (655, 1)])
def test_the_map_has_a_place_of_its_own_for_every_pair(num: int, others: int):
    pairs = tuple(
        PairCoverage(k * others + j, f"i{k}", "ours", f"it's {j}", 1, 0, 0) for k in range(num) for j in range(others)
    )
    spec = coverage_map(Coverage(False, 3, pairs, (), (), Pace(None, 1.0, ()), 0), dark=False)
    (rows,) = spec["datasets"].values()
    assert len({(row["row"], row["column"]) for row in rows}) == num * others
    assert max(row["column"] for row in rows) < COLUMNS


def test_charts_of_nothing_are_charts():
    assert progress_bars([], 1_800_000_000_000, dark=True)


def test_a_dark_page_has_light_ink_and_the_data_stay_what_they_are(closed: Desk):
    rates = [replace(rate, other="white") for rate in results_of(closed.store).everybody.rates if rate.other == "plain"]
    chart = answer_bars(rates, shown_dimensions(results_of(closed.store).everybody)[-1])
    light, dark = (for_page(chart, dark=mode, width=300) for mode in (False, True))
    assert light["datasets"] == dark["datasets"]
    assert INK in str(light)
    assert INK not in str({key: value for key, value in dark.items() if key != "datasets"})
    assert dark["config"]["background"] == "transparent"


def screened(*verdicts: Verdict, seconds: float | None = 9.0) -> Screened:
    return Screened("p-1", 10, 5, seconds, {}, verdicts)


def test_reasons_are_words():
    left = Verdict(Rule("left_share", 0.1, 0.9, 30), Measured(1.0, 40), False)
    assert in_words(screened(left)) == "9.0 s per pair, answers left 100%"
    assert in_words(screened(left, seconds=None)) == "time per pair not measured, answers left 100%"
    assert verdict_in_words(left) == "answers left 100% (allowed 10% to 90%)"


def test_what_could_not_be_checked_is_not_called_failed():
    unknown = Verdict(Rule("speed", 1.0, None, 10), Measured(None, 0), None)
    passed = Verdict(Rule("same_share", None, 0.95, 30), Measured(0.2, 50), True)
    assert verdict_in_words(unknown).startswith("speed could not be checked (0 of 10")
    assert in_words(screened(unknown)) == "could not be checked yet, so nobody is left out for it"
    assert in_words(screened(passed, unknown)) == "passed 1 check; 1 could not be made yet"
    assert in_words(screened()) == "the study has no rules of screening"


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_has_words(measure: str):
    assert measure == "speed" or measure in SHARES
    for low, high in ((0.1, None), (None, 0.9), (0.1, 0.9)):
        rule = Rule(measure, low, high, 5)
        assert rule_in_words(rule)
        assert "{}" not in verdict_in_words(Verdict(rule, Measured(0.5, 10), False))
        assert "could not" in verdict_in_words(Verdict(rule, Measured(0.5, 1), None))
