"""The checks of an annotator in plain words, for somebody who has to decide whether the rules were fair."""

from __future__ import annotations

from univg_bench.human.plan import Rule
from univg_bench.human.screening import Measured, Screened, Verdict

# measure -> (what was found, what was too little to tell); `{}` is the value
SHARES: dict[str, tuple[str, str]] = {
    "straight_line": ("one answer to all questions in {} of pairs", "pairs"),
    "left_share": ("answers left {}", "answers that chose a side"),
    "same_share": ("answers same {}", "answers"),
    "gold_accuracy": ("known answers right {}", "known answers"),
    "repeat_consistency": ("same answer when a pair came again {}", "repeated questions"),
    "agreement": ("agrees with the others {}", "questions that others answered"),
    "watched": ("watched {} of the videos", "pairs with a playback record"),
}


def pace_in_words(screened: Screened) -> str:
    """Return how long this annotator takes, or that nobody measured it."""
    if screened.median_seconds is None:
        return "time per pair not measured"
    seconds = screened.median_seconds
    return f"{seconds:.1f} s per pair" if seconds < 10 else f"{seconds:.0f} s per pair"


def found_in_words(rule: Rule, measured: Measured) -> str:
    """Return what a check found, without judging it."""
    assert measured.value is not None
    if rule.measure == "speed":
        return f"takes {measured.value:.1f} times as long as the longer video"
    return SHARES[rule.measure][0].format(f"{measured.value:.0%}")


def rule_in_words(rule: Rule) -> str:
    """Return what a rule demands."""

    def shown(bound: float) -> str:
        return f"{bound:g} times" if rule.measure == "speed" else f"{bound:.0%}"

    if rule.min is not None and rule.max is not None:
        return f"{shown(rule.min)} to {shown(rule.max)}"
    return f"at least {shown(rule.min)}" if rule.min is not None else f"at most {shown(rule.max or 0.0)}"


def verdict_in_words(verdict: Verdict) -> str:
    """Return a check as a sentence part: what was found and what was allowed, or that it could not be checked."""
    rule, measured = verdict.rule, verdict.measured
    if verdict.passed is None or measured.value is None:
        cases = "pairs with known lengths and times" if rule.measure == "speed" else SHARES[rule.measure][1]
        name = rule.measure.replace("_", " ")
        return f"{name} could not be checked ({measured.count} of {rule.min_count} {cases} needed)"
    return f"{found_in_words(rule, measured)} (allowed {rule_in_words(rule)})"


def in_words(screened: Screened) -> str:
    """Return why somebody is left out, or that they are kept, with what could not be checked."""
    failed = [v for v in screened.verdicts if v.passed is False]
    unknown = sum(v.passed is None for v in screened.verdicts)
    if failed:
        return ", ".join([pace_in_words(screened), *(found_in_words(v.rule, v.measured) for v in failed)])
    if not screened.verdicts:
        return "the study has no rules of screening"
    if unknown == len(screened.verdicts):
        return "could not be checked yet, so nobody is left out for it"
    made = len(screened.verdicts) - unknown
    rest = f"; {unknown} could not be made yet" if unknown else ""
    return f"passed {made} {'check' if made == 1 else 'checks'}{rest}"
