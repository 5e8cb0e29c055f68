"""The user's mistakes, and what the world does to long runs, as sentences with an exit code.

A message says what was found, what was expected, where, and what to do. Our own invariants are `assert`s, not these.
"""


class UnivgError(Exception):
    """Base of every error the command line turns into one sentence and an exit code."""

    exit_code = 2


class InputError(UnivgError):
    """A file, an option or an array is not what was asked for (exit 2)."""

    exit_code = 2


class SampleError(UnivgError):
    """Samples are missing, short, corrupt or of the wrong size (exit 3).

    `items` maps the name of each concerned item to what is wrong with it, so that `--json` can list them.
    """

    exit_code = 3

    def __init__(self, message: str, items: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.items = dict(items or {})


class InfrastructureError(UnivgError):
    """A worker died or a disk is full: nothing committed is lost, run the same command again (exit 5)."""

    exit_code = 5
