"""What a study downloads: listed with its pins, fetched into the cache before any job needs it, and pinned for others."""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from codec_cliff.downloads.pins import DOWNLOADS, HubFiles, Pinned, Release
from codec_cliff.errors import exit_cleanly
from codec_cliff.files import atomic_path

COLUMNS = ("for", "from", "pinned to", "licence")


def describe(pinned: Pinned, cache: Path) -> tuple[str, str, str]:
    """Where a download comes from, what it is pinned to, and its licence."""
    if isinstance(pinned, Release):
        return pinned.url, f"SHA-256 {pinned.sha256 or 'of the first download'}", pinned.licence
    if isinstance(pinned, HubFiles):
        unknown = [name for name in pinned.names if name not in pinned.sha256]
        commit = pinned.commit or recorded_commit(pinned, cache) or "of the first download"
        rest = (
            f"; SHA-256 of {len(unknown)} files recorded at the first download"
            if unknown
            else "; SHA-256 of every file"
        )
        return f"hub {pinned.repository}: {', '.join(pinned.names)}", f"commit {commit}{rest}", pinned.licence
    return f"git {pinned.repository}", f"commit {pinned.commit}", pinned.licence


def recorded_commit(files: HubFiles, cache: Path) -> str | None:
    from codec_cliff.downloads.hub import read_record  # here: it brings the hub's client along

    return read_record(files.key, cache).get("commit")


def pin_of(name: str) -> str:
    """The pins of one name in a line: a rule's parameter, so that a changed pin is fetched anew."""
    return "; ".join(" ".join(describe(pinned, Path())[:2]) for pinned in DOWNLOADS[name])


def show(names: Sequence[str], cache: Path) -> None:
    print(" | ".join(COLUMNS))
    for name in names:
        for pinned in DOWNLOADS[name]:
            print(" | ".join((name, *describe(pinned, cache))))


def fetch(names: Sequence[str], cache: Path, marker: Path | None) -> None:
    """Download and verify everything that `names` need, then write `marker`."""
    from codec_cliff.downloads.hub import obtain

    lines = [f"{name}: {obtain(pinned, cache)}" for name in names for pinned in DOWNLOADS[name]]
    print("\n".join(lines), flush=True)
    if marker:
        with atomic_path(marker) as temporary:
            temporary.write_text("\n".join(lines) + "\n")


def pin(cache: Path, lock: Path) -> None:
    from codec_cliff.downloads.hub import write_lock

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
