# The study, checked and frozen, and the names that the rule files share.
import hashlib
import json
import math
import os
import re
import shlex
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

import codec_cliff

from codec_cliff.downloads.listing import pin_of
from codec_cliff.downloads.pins import DOWNLOADS
from codec_cliff.corpus.decoded import state
from codec_cliff.errors import ConfigError
from codec_cliff.study.files import check_files
from codec_cliff.metrics.scorer import WITH_REFERENCE
from codec_cliff.status import changed_recordings, record_study, stale_models
from codec_cliff.study.load import load_study
from codec_cliff.training.cost import projected_seconds

# Jobs call `python`: the one that Snakemake itself runs in, unless a conda environment puts its own before it.
# They run side by side, so they report in plain lines; a progress bar is for one process alone.
os.environ.update(
    PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]),
    TQDM_DISABLE="1",
    # Figures are drawn as Matplotlib ships its settings, not as somebody's home folder or notebook has them.
    MPLBACKEND="agg",
    MATPLOTLIBRC=os.devnull,
)

# From any folder, under any profile, as a module too: what a study does not say is as in the project's config.yaml.
with open(workflow.source_path("../../config.yaml"), encoding="utf-8") as file:
    BASE = yaml.safe_load(file)
update_config(BASE, config)
config.update(BASE)

# For the targets arm and clean_branch; no part of a study.
BRANCH = config.pop("branch", None)

try:
    check_files(workflow.configfiles)
    STUDY = load_study(config)
except ConfigError as error:
    raise WorkflowError(f"config: {error}")

# As short as can be: the names of a job's inputs are part of what Snakemake compares.
PACKAGE = Path(codec_cliff.__file__).parent
PACKAGE = (
    "codec_cliff"
    if Path("codec_cliff").resolve() == PACKAGE.resolve()
    else str(PACKAGE)
)
RESULTS = f"results/{STUDY.study}"
LOGS = f"{RESULTS}/logs"
# For the jobs that need the whole study: tables, figures, report.
STUDY_JSON = json.dumps(config, sort_keys=True)
MAIN_ENVIRONMENT = "../../envs/codec-cliff.yaml"

ENVIRONMENTS = {
    "qwen3_tts_12hz": "../../envs/qwen.yaml",
    "nanocodec": "../../envs/nemo.yaml",
    "flexicodec": "../../envs/flexicodec.yaml",
}  # stacks that cannot live with the others

RUNS, REPAIRED = STUDY.runs, STUDY.repaired
CODECS = dict.fromkeys([*STUDY.evaluated, *RUNS])
METRIC_ENVIRONMENTS = {
    "pymcd": "../../envs/mcd.yaml",
    "espnet_wavlm": "../../envs/espnet.yaml",
}

METRICS = list(STUDY.metrics)
FETCHED = [
    name
    for name in (*STUDY.reference_codecs, *STUDY.metrics.values())
    if name in DOWNLOADS
]
BACKEND_MODULES = {
    "moonshine_tiny": [
        "metrics/recognisers/moonshine",
        "metrics/recognisers/vocabulary",
    ],
    "mms_1b_all": ["metrics/recognisers/mms"],
    "mms_1b_all_float16": ["metrics/recognisers/mms"],
    "distillmos": ["metrics/predictors/distillmos"],
    "dnsmos_p808": ["metrics/predictors/dnsmos"],
    "utmos22_strong": ["metrics/predictors/utmos22"],
    "utmos22_strong_padded": ["metrics/predictors/utmos22"],
    "resemblyzer": ["metrics/speakers/resemblyzer"],
    "campplus": ["metrics/speakers/campplus"],
    "mel_cepstral_distance": ["metrics/mel_cepstra"],
    "pymcd": ["metrics/distortions", "metrics/mel_cepstra"],
    "espnet_wavlm": ["metrics/speakers/espnet"],
}

TABLES = [
    *("table1", "table2", "table3", "table4", "coverage", "phonemes"),
    *("cost", "cost_paper"),
]
TABLE_FILES = expand(
    f"{RESULTS}/tables/{{table}}.{{kind}}", table=TABLES, kind=["csv", "md", "tex"]
)
FIGURE_FILES = multiext(f"{RESULTS}/figures/figure1", ".pdf", ".png", ".svg")


def results_folder(wildcards):
    """The study's folder, for jobs that read many of its files."""
    return RESULTS


def corpus_root(wildcards):
    """The folder that holds the corpus' splits."""
    return CORPUS_ROOT


def branch(target):
    """The codec that `--config branch=<codec>` names, for a target that asks for one."""
    if BRANCH in RUNS:
        return BRANCH
    raise WorkflowError(
        f"{target}: name the trained codec with --config branch=<codec>, one of {', '.join(RUNS)}"
        + (f"; not {BRANCH}" if BRANCH else "")
    )


def everything_of_the_branch(wildcards):
    """What one run leaves behind: every metric, of its repaired model too where the study has one, and the probes of it."""
    run = branch("arm")
    repaired = [name for name, source in REPAIRED.items() if source == run]
    return measured([run, *repaired]) + expand(
        f"{RESULTS}/probes/{{kind}}/{run}.csv", kind=["scores", "positions", "drift"]
    )


def launcher(wildcards):
    """One process a GPU where a codec is given several."""
    gpus = RUNS[known(wildcards.run, RUNS)].gpus
    return (
        f"torchrun --standalone --nproc-per-node={round(gpus)} -m"
        if gpus > 1
        else "python -m"
    )


def training_minutes(wildcards):
    """Wall time that a scheduler is asked for: half as much again as projected, and time to start."""
    return 30 + math.ceil(
        1.5 * projected_seconds(RUNS[known(wildcards.run, RUNS)]) / 60
    )


def alternatives(names):
    """A wildcard constraint that matches exactly these names."""
    return "|".join(re.escape(name) for name in names) or "(?!)"


# Shapes, not lists of names: Snakemake reads a constraint's whole text for every job, so a list would make planning quadratic.
# `known` says which names there are.
wildcard_constraints:
    split="train|test",
    run="[^/]+(?<!-repaired)",
    repaired="[^/]+-repaired",
    codec="[^/]+",
    metric=alternatives(METRICS),


def known(name, names):
    """`name`, if the study has it; raises WorkflowError otherwise, while planning."""
    if name in names:
        return name
    raise WorkflowError(
        f"{name}: the study {STUDY.study} has no such codec; it has {', '.join(names)}"
    )


def source(name):
    """A module listed as input, so that a changed metric or table is computed anew; compared by content, not by date."""
    return f"{PACKAGE}/{name}.py"


def weights(codec):
    """A trained or repaired model. Its small record is compared by content; the weights' own date means nothing, for a copied
    or touched file is no new model. Published codecs are fetched beforehand."""
    folder = f"{RESULTS}/runs/{codec}"
    if codec in REPAIRED:
        return [f"{folder}/repair.json", ancient(f"{folder}/model.safetensors")]
    if codec in RUNS:
        return [f"{folder}/run.json", ancient(f"{folder}/model.safetensors")]
    return fetched(codec)


def codec_weights(wildcards):
    return weights(known(wildcards.codec, CODECS))


def reconstruction_environment(wildcards):
    """The main environment but for stacks that cannot live in it."""
    return ENVIRONMENTS.get(wildcards.codec, MAIN_ENVIRONMENT)


def recordings_of(wildcards):
    """The folder of a codec that is no more than one, as the command line has it."""
    folder = STUDY.folders.get(wildcards.codec)
    return f"--recordings {shlex.quote(folder)}" if folder else ""


def recordings_state(wildcards):
    """What such a folder holds, so that a changed file is read anew."""
    folder = STUDY.folders.get(wildcards.codec)
    return state(folder) if folder else ""


def cache_folder(wildcards):
    """Where downloads go."""
    return STUDY.cache


def fetched(name):
    """The marker of a codec's or a backend's downloads; nothing where it has none."""
    return f"{STUDY.cache}/downloads/{name}.complete" if name in DOWNLOADS else []


def metric_environment(wildcards):
    """The main environment but for backends that cannot live in it."""
    return METRIC_ENVIRONMENTS.get(STUDY.metrics[wildcards.metric], MAIN_ENVIRONMENT)


def references_of(wildcards):
    """What the metric has computed of the recordings alone, where it has such a side."""
    shared = wildcards.metric in WITH_REFERENCE
    return f"{RESULTS}/references/{wildcards.metric}.npz" if shared else []


def metric_modules(wildcards):
    """What a metric's figures depend on: its own file, its backend's, and how signals are paired and matched."""
    backend = BACKEND_MODULES.get(STUDY.metrics[wildcards.metric], [])
    return [
        source(name)
        for name in (
            f"metrics/{wildcards.metric}",
            "metrics/pairs",
            "metrics/waveform",
            *backend,
        )
    ]


def shown(path, caption, category, labels):
    """An output that Snakemake's own report shows (`--report`)."""
    return report(
        path, caption=f"../report/{caption}.rst", category=category, labels=labels
    )


def metric_files(codecs):
    """Every metric of some codecs."""
    return expand(
        f"{RESULTS}/metrics/{{codec}}/{{metric}}.csv", codec=codecs, metric=METRICS
    )


def reconstructed(codecs):
    """Manifest and record of some codecs' recordings. The manifest holds names and lengths, which another model's recordings have
    too: the record tells them apart, for small files are compared by content.
    """
    return expand(
        f"{RESULTS}/reconstruction/{{codec}}/{{file}}",
        codec=codecs,
        file=["manifest.tsv", "codec.json"],
    )


def measured(codecs):
    """Every metric of some codecs, and what is known about each."""
    return metric_files(codecs) + expand(
        f"{RESULTS}/reconstruction/{{codec}}/codec.json", codec=codecs
    )


def as_found(paths):
    """A digest of those of some files that are there, for the parameters of a job that shows them and must not wait for them:
    as inputs they would be made anew with all that they come from.
    """
    digest = hashlib.sha256()
    for path in paths:
        if Path(path).exists():
            digest.update(path.encode() + Path(path).read_bytes())
    return digest.hexdigest()[:16]
