"""What the stand-in for the internet holds, made on the spot: `python -m tests.internet.site FOLDER TRAIN TEST NAME...`

Speech in LibriSpeech's layout (so many utterances for training and test), and for each name of `downloads list` the published files, by
host: `archives/`, `releases/`, `hub/<owner>/<name>/`, `sources/<owner>/<name>`. CODEC_CLIFF_SOURCES names a folder of git repositories
`<owner>+<name>/repo` that hold the authors' own code; without it small codecs behind the same calls take its place.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import torch

from codec_cliff.corpus.librispeech import ARCHIVES
from codec_cliff.corpus.synthetic import make_synthetic
from codec_cliff.downloads.pins import DOWNLOADS, HubFiles, Pinned, Release, Source
from tests.internet import weights
from tests.internet.server import GITHUB, Repository, Site, digest

HERE = Path(__file__).resolve().parent
COMMIT = "c0dec0de" * 5  # of repositories of the hub whose commit is not pinned
GIT = ["git", "-c", "user.name=stand-in", "-c", "user.email=stand-in@localhost", "-c", "init.defaultBranch=main"]
DICTIONARY = "the\tDH AH0\n"


def archive(speech: Path, split: str, count: int, place: Path) -> None:
    """So many utterances of a split of the synthetic corpus, as OpenSLR packs them."""
    made = {"train-clean-100": "train", "test-clean": "test"}[split]
    recordings = sorted((speech / made).glob("*/*/*.flac"))[
        :: max(1, len(list((speech / made).glob("*/*/*.flac"))) // count)
    ]
    place.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(place, "w:gz") as tar:
        for chapter in sorted({path.parent for path in recordings[:count]}):
            kept = [path for path in recordings[:count] if path.parent == chapter]
            texts = next(chapter.glob("*.trans.txt"))
            lines = [line for line in texts.open() if line.split(" ")[0] in {path.stem for path in kept}]
            (short := place.with_suffix(".txt")).write_text("".join(lines))
            inside = f"LibriSpeech/{split}/{chapter.relative_to(speech / made)}"
            tar.add(short, f"{inside}/{texts.name}")
            for path in kept:
                tar.add(path, f"{inside}/{path.name}")
            short.unlink()


def source(pinned: Source, folder: Path) -> Path:
    """A git repository of the source below `folder`, the authors' own where it is at hand; a checkout of it."""
    repository, checkout = folder / pinned.repository, folder / ".checkouts" / pinned.repository
    if checkout.exists():
        return checkout
    own = Path(os.environ.get("CODEC_CLIFF_SOURCES", "/nowhere")) / pinned.repository.replace("/", "+") / "repo"
    repository.parent.mkdir(parents=True, exist_ok=True)
    if own.exists():
        repository.symlink_to(own)
        subprocess.run([*GIT, "clone", "--quiet", str(own), str(checkout)], check=True)
        subprocess.run([*GIT, "checkout", "--quiet", pinned.commit], cwd=checkout, check=True)
        return checkout
    shutil.copytree(HERE / "sources" / pinned.repository.split("/")[1], checkout)
    for line in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "stand-in"]):
        subprocess.run([*GIT, *line], cwd=checkout, check=True)
    repository.symlink_to(checkout / ".git")
    return checkout


def write(name: str, pinned: Pinned, folder: Path) -> None:
    """The files of one download of `name`."""
    if isinstance(pinned, Source):
        source(pinned, folder / "sources")
    elif isinstance(pinned, Release):
        release(name, folder / "releases" / pinned.url.removeprefix(f"https://{GITHUB}/"))
    elif not all((folder / "hub" / pinned.repository / file).exists() for file in pinned.names):
        repository(name, pinned, folder)


def release(name: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if name.startswith("dac"):
        weights.dac(name, path)
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as model:
            model.writestr(f"{path.stem}/meta.json", '{"version": "3.0.0"}')
    else:
        path.write_text(DICTIONARY)


def repository(name: str, pinned: HubFiles, folder: Path) -> None:
    place = folder / "hub" / pinned.repository
    made = {
        "mimi_8": weights.mimi, "mimi_32": weights.mimi, "snac_24k": weights.snac, "encodec_3": weights.encodec,
        "encodec_6": weights.encodec, "speechtokenizer": weights.speechtokenizer, "mms_1b_all": weights.mms,
        "utmos22_strong": weights.utmos22,
    }  # fmt: skip
    if name in made:
        made[name](place)
    elif name == "bigcodec":
        weights.bigcodec(source(DOWNLOADS[name][0], folder / "sources"), place)
    elif name.startswith("wavtokenizer"):
        weights.wavtokenizer(name, source(DOWNLOADS[name][0], folder / "sources"), place / pinned.names[0])


def build(folder: Path, train: int, test: int, wanted: list[str]) -> None:
    torch.manual_seed(0)
    make_synthetic(folder / "speech", 16000)
    for split, count in (("train-clean-100", train), ("test-clean", test)):
        archive(folder / "speech", split, count, folder / "archives" / ARCHIVES[split].path)
    for name in wanted:
        for pinned in DOWNLOADS[name]:
            write(name, pinned, folder)


def load(folder: Path, wanted: list[str]) -> Site:
    """The site as the server takes it."""
    site = Site()
    site.archives = {str(path.relative_to(folder / "archives")): path for path in folder.glob("archives/*/*.tar.gz")}
    for pinned in (pinned for name in wanted for pinned in DOWNLOADS[name]):
        if isinstance(pinned, Source):
            site.sources[pinned.repository] = folder / "sources" / pinned.repository
        elif isinstance(pinned, Release):
            path = pinned.url.removeprefix(f"https://{GITHUB}")
            site.releases[path] = folder / "releases" / path.lstrip("/")
        else:
            files = site.hub.setdefault(pinned.repository, Repository(pinned.commit or COMMIT)).files
            files |= {name: folder / "hub" / pinned.repository / name for name in pinned.names}
    return site


def commit(repository: Path) -> str:
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repository, check=True, capture_output=True, text=True)
    return found.stdout.strip()


def replacements(site: Site, wanted: list[str]) -> dict[str, str]:
    """Pinned checksum or commit -> that of the stand-in: what a clone has to be told, and all it is told."""
    swap = {
        archive.md5: digest(site.archives[archive.path], "md5")
        for archive in ARCHIVES.values()
        if archive.path in site.archives
    }
    for pinned in (pinned for name in wanted for pinned in DOWNLOADS[name]):
        if isinstance(pinned, Source):
            swap[pinned.commit] = commit(site.sources[pinned.repository].resolve())
        elif isinstance(pinned, Release) and pinned.sha256:
            swap[pinned.sha256] = digest(site.releases[pinned.url.removeprefix(f"https://{GITHUB}")])
        elif isinstance(pinned, HubFiles):
            held = site.hub[pinned.repository].files
            swap |= {sha256: digest(held[name]) for name, sha256 in pinned.sha256.items()}
    return swap


def inject(clone: Path, swap: dict[str, str]) -> list[str]:
    """Put the stand-ins' checksums in the place of the published ones; what was changed, and each is there once or more."""
    changed = set()
    for file in (clone / "codec_cliff/downloads/pins.py", clone / "codec_cliff/corpus/librispeech.py"):
        text = file.read_text()
        changed |= {old for old in swap if old in text}
        file.write_text(re.sub("|".join(swap), lambda match: swap[match[0]], text))
    assert changed == set(swap)
    return sorted(changed)


if __name__ == "__main__":
    build(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
