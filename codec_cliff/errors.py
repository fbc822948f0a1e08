"""What a user can mend is raised as a UserError: its message says what is wrong, where, and the remedy."""

import sys
from collections.abc import Callable


class UserError(Exception):
    """Base of every error whose message is written for the person who started the run."""


class ConfigError(UserError):
    """A configuration key is unknown, of the wrong type, or contradicts another one."""


class CorpusError(UserError):
    """A recording, transcript or manifest cannot be used."""


class CodecError(UserError):
    """A codec cannot be loaded or does not keep its contract."""


class DownloadError(UserError):
    """Something cannot be downloaded, or is not what was pinned."""


class MetricError(UserError):
    """A metric or its backend cannot be run."""


class TrainingError(UserError):
    """A training run cannot start or go on."""


def exit_cleanly(main: Callable[[], None]) -> None:
    """Run a command line; a UserError becomes one line on stderr and exit status 2 instead of a traceback."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
