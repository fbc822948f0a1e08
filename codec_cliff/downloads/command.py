"""What a study downloads: listed with its pins, fetched into the cache before any job needs it, and pinned for others."""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from codec_cliff.downloads.hub import obtain
from codec_cliff.downloads.listing import arrived, describe
from codec_cliff.downloads.pins import DOWNLOADS
from codec_cliff.downloads.records import write_lock
from codec_cliff.errors import exit_cleanly
from codec_cliff.files import atomic_path

COLUMNS = ("for", "from", "pinned to", "licence")


def show(names: Sequence[str], cache: Path) -> None:
    print(" | ".join(COLUMNS))
    for name in names:
        for pinned in DOWNLOADS[name]:
            print(" | ".join((name, *describe(pinned, cache))))


def fetch(names: Sequence[str], cache: Path, marker: Path | None) -> None:
    """Download and verify everything that `names` need, then write what arrived to `marker`."""
    wanted = [(name, pinned) for name in names for pinned in DOWNLOADS[name]]
    print("\n".join(f"{name}: {obtain(pinned, cache)}" for name, pinned in wanted), flush=True)
    if marker:
        lines = [f"{name}: {line}" for name, pinned in wanted for line in arrived(pinned, cache)]
        with atomic_path(marker) as temporary:
            temporary.write_text("\n".join(lines) + "\n")


def pin(cache: Path, lock: Path) -> None:
    print(
        f"{lock}: {write_lock(cache, lock)} downloads; keep it with the results, it is read wherever it lies in the working folder"
    )


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="codec-cliff downloads", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for command, text in (("list", "what is downloaded, and its pins"), ("fetch", "download and verify")):
        subparser = commands.add_parser(command, help=text)
        subparser.add_argument("names", nargs="*", metavar="name", help=f"default: all of {', '.join(DOWNLOADS)}")
        subparser.add_argument("--cache", type=Path, default=Path("cache"))
    commands.choices["fetch"].add_argument("--marker", type=Path, help="written last, once all is there and verified")
    subparser = commands.add_parser("pin", help="collect what first downloads recorded in a file for other machines")
    subparser.add_argument("--cache", type=Path, default=Path("cache"))
    subparser.add_argument("--lock", type=Path, default=Path("pins.lock.json"))
    options = parser.parse_args(arguments)
    if options.command == "pin":
        pin(options.cache, options.lock)
        return
    if unknown := set(options.names) - set(DOWNLOADS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(DOWNLOADS)}")
    names = options.names or list(DOWNLOADS)
    if options.command == "list":
        show(names, options.cache)
    else:
        fetch(names, options.cache, options.marker)


if __name__ == "__main__":
    exit_cleanly(main)
