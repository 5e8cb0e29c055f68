"""What the addresses share: the study, a bounded door to the database, and who asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request

from human_eval_app import sessions
from human_eval_app.refusals import RefusedError
from human_eval_app.routes.rate_limit import RateLimit
from human_eval_app.serving import Serving
from univg_bench.errors import InfrastructureError

T = TypeVar("T")
# a locked database holds its writers for seconds; they must not hold the threads that read videos
WRITERS = 4
MAX_WAITING = 200


@dataclass(frozen=True)
class Context:
    """One per app. failures: of logins; newcomers: people made on the spot (Prolific)."""

    serving: Serving
    failures: RateLimit = field(default_factory=lambda: RateLimit(most=10, seconds=300))
    newcomers: RateLimit = field(default_factory=lambda: RateLimit(most=60, seconds=3600))
    writers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(WRITERS))

    def annotator(self, request: Request) -> int:
        """Return who asks. Raises RefusedError where the cookie does not say."""
        serving = self.serving
        cookie = request.cookies.get(sessions.cookie_name(serving.folder.slug))
        found = sessions.read(serving.folder.pepper, cookie, serving.store.now_ms() / 1000)
        if found is None:
            raise RefusedError("no_session", "you are not logged in any more; log in again, your answers are kept")
        return found

    async def write(self, work: Callable[[], T]) -> T:
        """Return what `work` returns in a thread that may write. Raises InfrastructureError where too many wait."""
        if self.writers.statistics().tasks_waiting >= MAX_WAITING:
            raise InfrastructureError(f"more than {MAX_WAITING} requests wait for the database; try again in a moment")
        return await to_thread.run_sync(work, limiter=self.writers)

    async def read(self, work: Callable[[], T]) -> T:
        """Return what `work` returns in a thread that only reads."""
        return await to_thread.run_sync(work)
