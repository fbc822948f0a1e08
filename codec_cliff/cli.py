"""The command `codec-cliff`: each subcommand is a module with a `main(arguments)`, imported only when it is called."""

import argparse
import importlib
import sys

from codec_cliff.errors import UserError, exit_cleanly

COMMANDS: dict[str, tuple[str, str]] = {  # subcommand -> (module, one line of help)
    "compare": ("codec_cliff.report.compare", "two studies or two runs side by side"),
    "evaluate": (
        "codec_cliff.evaluate.command",
        "folders of reconstructions, your own or anyone's, against their originals",
    ),
    "downloads": ("codec_cliff.downloads.command", "list, fetch or pin what a study downloads"),
    "coverage": ("codec_cliff.probes.command", "taps that training clips of a given length never reach"),
    "status": ("codec_cliff.status", "what is done, running, queued or failed, and how long it will still take"),
}


def main() -> None:
    listing = "\n".join(f"  {name:10} {help_line}" for name, (_, help_line) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        "codec-cliff",
        description="What a frame rate costs a neural speech codec.",
        epilog=f"commands:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "command", choices=COMMANDS, metavar="command", help="one of those below; each has its own --help"
    )
    arguments = parser.parse_args(sys.argv[1:2])
    module, _ = COMMANDS[arguments.command]
    try:
        importlib.import_module(module).main(sys.argv[2:])
    except ModuleNotFoundError as error:
        if error.name != "dac":
            raise
        raise UserError(
            f"{arguments.command} needs descript-audio-codec, which no wheel can ask for beside current packages; run it in a "
            "clone (uv run codec-cliff), or install it by itself: pip install --no-deps descript-audio-codec==1.0.0 descript-audiotools"
        ) from error


def run() -> None:
    """The console script."""
    exit_cleanly(main)


if __name__ == "__main__":
    run()
