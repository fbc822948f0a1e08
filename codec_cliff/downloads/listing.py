"""What a download is pinned to, in words. Every job of a workflow asks, so the hub's client stays out."""

from pathlib import Path

from codec_cliff.downloads.pins import DOWNLOADS, HubFiles, Pinned, Release
from codec_cliff.downloads.records import read_record


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
    return read_record(files.key, cache).get("commit")


def pin_of(name: str) -> str:
    """The pins of one name in a line: a rule's parameter, so that a changed pin is fetched anew."""
    return "; ".join(" ".join(describe(pinned, Path())[:2]) for pinned in DOWNLOADS[name])
