"""What a download is pinned to and what arrived, in words. Every job of a workflow asks, so the hub's client stays out."""

from pathlib import Path

from codec_cliff.downloads.pins import DOWNLOADS, HubFiles, Pinned, Release, Source
from codec_cliff.downloads.records import read_record


def describe(pinned: Pinned, cache: Path | None = None) -> tuple[str, str, str]:
    """Where a download comes from, what it is pinned to (by the records of `cache` too, where it is given), and its licence."""
    if isinstance(pinned, Release):
        return pinned.url, f"SHA-256 {pinned.sha256 or 'of the first download'}", pinned.licence
    if isinstance(pinned, HubFiles):
        unknown = [name for name in pinned.names if name not in pinned.sha256]
        commit = pinned.commit or (cache and recorded_commit(pinned, cache)) or "of the first download"
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
    """The pins of one name in a line, without what was recorded: a rule's parameter, so that a changed pin is fetched anew."""
    return "; ".join(" ".join(describe(pinned)[:2]) for pinned in DOWNLOADS[name])


def arrived(pinned: Pinned, cache: Path) -> list[str]:
    """What lies in the cache once it was obtained, by commit and checksums and not by place: the same pins, the same lines."""
    if isinstance(pinned, Source):
        return [f"git {pinned.repository}, commit {pinned.commit}"]
    record = read_record(pinned.key, cache)
    if isinstance(pinned, Release):
        names, where = (pinned.path,), ""
    else:
        names, where = pinned.names, f"hub {pinned.repository}, commit {record['commit']}: "
    return [f"{where}{name}, SHA-256 {record['files'][name]['sha256']}" for name in names]
