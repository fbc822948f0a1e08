"""What a user can mend is raised as a UserError: its message says what is wrong, where, and the remedy."""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path


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


class ResultsError(UserError):
    """A file of a results folder is missing or damaged."""


class DiskError(UserError):
    """A file cannot be written because its disk or quota is full."""

    def __init__(self, path: object):
        super().__init__(
            f"{path}: no space left on its disk or in your quota; free some and give the same command again: "
            "what is finished is kept, and training goes on from its last checkpoint"
        )


def anew(run_folder: str | Path) -> str:
    """The command that forgets a training and what was made of it, whichever study and profile it is of.

    `run_folder` is the run's, or lies in it: the weights of a kept step, or those of finished runs.
    """
    run_folder = Path(run_folder)
    parts = list(run_folder.parts)
    if "runs" in parts:
        run_folder = Path(*parts[: len(parts) - parts[::-1].index("runs") + 1])
    return f"python -m codec_cliff.branch --results {run_folder.parent.parent} --codec {run_folder.name}"


def is_full_disk(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def exit_cleanly(main: Callable[[], None]) -> None:
    """Run a command line; a UserError becomes one line on stderr and exit status 2 instead of a traceback."""
    try:
        main()
    except UserError as error:
        sys.exit(_report(error))
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if not is_full_disk(error) and error.filename is None:
            raise
        sys.exit(_report(_in_words(error)))


def _in_words(error: OSError) -> UserError:
    if is_full_disk(error):
        return DiskError(error.filename or Path.cwd())
    return UserError(f"{error.filename}: {(error.strerror or type(error).__name__).lower()}")


def _report(error: UserError) -> int:
    print(f"error: {error}", file=sys.stderr)
    return 2
