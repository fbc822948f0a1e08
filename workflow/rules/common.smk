# The study, checked and frozen, and the names that the rule files share.
import json
import re
from pathlib import Path

from snakemake.exceptions import WorkflowError

from codec_cliff.config import load_study
from codec_cliff.errors import ConfigError

try:
    STUDY = load_study(config)
except ConfigError as error:
    raise WorkflowError(f"config: {error}")

RESULTS = f"results/{STUDY.study}"
LOGS = f"{RESULTS}/logs"
STUDY_JSON = json.dumps(
    config, sort_keys=True
)  # for the jobs that need the whole study: tables, figures, report
MAIN_ENVIRONMENT = "../../envs/codec-cliff.yaml"

METRICS = list(STUDY.metrics)
TABLES = ["table1", "table2", "table3", "table4", "coverage", "phonemes"]
TABLE_FILES = expand(
    f"{RESULTS}/tables/{{table}}.{{kind}}", table=TABLES, kind=["csv", "md", "tex"]
)
FIGURE_FILES = multiext(f"{RESULTS}/figures/figure1", ".pdf", ".png", ".svg")


def alternatives(names):
    """A wildcard constraint that matches exactly these names."""
    return "|".join(re.escape(name) for name in names) or "(?!)"


wildcard_constraints:
    split="train|test",
    run=alternatives(STUDY.runs),
    repaired=alternatives(STUDY.repaired),
    codec=alternatives(dict.fromkeys([*STUDY.evaluated, *STUDY.runs])),
    metric=alternatives(METRICS),
    table=alternatives(TABLES),


def module(name):
    """A module listed as input, so that a changed metric or table is computed anew; compared by content, not by date."""
    return f"codec_cliff/{name}.py"


def weights(wildcards):
    """What a codec is reconstructed with: a trained or repaired model; published codecs fetch their own."""
    local = wildcards.codec in STUDY.runs or wildcards.codec in STUDY.repaired
    return f"{RESULTS}/runs/{wildcards.codec}/model.safetensors" if local else []
