"""Does the left video win because it stands on the left?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from univg_bench.human.ratings import Ratings


@dataclass(frozen=True)
class SideBias:
    """Share of left among the answers that chose a side, with a test against one half.

    interval and p are clustered by annotator with t(A-1); with one annotator they are binomial and clustered is False.
    interval is None where all annotators have exactly the same share.
    undefined: why nothing can be said, or empty.
    """

    left: int
    right: int
    num_annotators: int
    share: float | None
    interval: tuple[float, float] | None
    p: float | None
    clustered: bool
    undefined: str = ""

    def sentence(self, level: float = 0.95) -> str:
        """Return the finding in words; `level` is that of the interval."""
        if self.share is None or self.p is None:
            return f"Side bias: {self.undefined}."
        span = f" [{self.interval[0]:.1%}, {self.interval[1]:.1%}]" if self.interval else ""
        verdict = "differs from one half" if self.p < 1 - level else "is not shown to differ from one half"
        how = f"clustered by {self.num_annotators} annotators" if self.clustered else "binomial, one annotator only"
        return (
            f"Side bias: left was chosen in {self.share:.1%} of {self.left + self.right} answers that chose a "
            f"side{span}, p = {self.p:.3g} ({how}): this {verdict}."
        )


def side_bias(ratings: Ratings, *, level: float = 0.95) -> SideBias:
    """Return the side bias of all main and repeated ratings whose side is known."""
    frame = ratings.frame
    sign = np.array([{"left": 1, "right": -1, "none": 0}[s] for s in ratings.labels("side")])[ratings.codes("side")]
    chosen = ratings.y * sign
    chosen[frame["kind"].isin(["practice", "gold"]).to_numpy()] = 0
    left, right = int((chosen > 0).sum()), int((chosen < 0).sum())
    n = left + right
    annotators, annotator = np.unique(ratings.codes("annotator")[chosen != 0], return_inverse=True)
    A = len(annotators)
    if not n:
        return SideBias(0, 0, 0, None, None, None, False, "undefined, no answer chose a side that is known")
    share = left / n
    if A < 2:
        test = stats.binomtest(left, n)
        ci = test.proportion_ci(level, method="wilson")
        return SideBias(left, right, A, share, (float(ci.low), float(ci.high)), float(test.pvalue), False)
    # ratio estimator: residuals of each annotator's lefts around share * (their answers)
    lefts = np.bincount(annotator, chosen[chosen != 0] > 0, A)
    totals = np.bincount(annotator, minlength=A)
    residual = lefts - share * totals
    error = float(np.sqrt((residual**2).sum() * A / (A - 1))) / n
    if error == 0:
        # every annotator has exactly the same share: no spread for an interval, and the sign-flip test over annotators
        p = 1.0 if left == right else 2.0 ** (1 - A)
        return SideBias(left, right, A, share, None, p, True)
    half = float(stats.t.ppf(0.5 + level / 2, A - 1)) * error
    p = 2 * float(stats.t.sf(abs(share - 0.5) / error, A - 1))
    return SideBias(left, right, A, share, (max(share - half, 0.0), min(share + half, 1.0)), p, True)
