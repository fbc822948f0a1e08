# Not in the paper: which taps a clip never trains, what they cost once they are switched on, and what else could be the cause.
PROBES = ["repair", "drift", "chunks", "positions", "dose", "audio", "load"]
PROBES += ["causes", "along", "bitrate", "verdicts"]
ANSWER_MODULES = [
    "answers",
    "arms",
    "causes",
    "curve",
    "rate",
    "decoders",
    "dose",
    "load",
    "matched_audio",
    "where",
]
# Each run that the probes train, measured like any codec: the target `arms`.
ARM_FILES = multiext(
    f"{RESULTS}/tables/probe_quality", ".csv", ".md", ".tex"
) + multiext(f"{RESULTS}/figures/probe_quality", ".pdf", ".png", ".svg")
PROBE_FILES = expand(
    f"{RESULTS}/tables/probe_{{probe}}.{{kind}}",
    probe=PROBES,
    kind=["csv", "md", "tex"],
) + expand(
    f"{RESULTS}/figures/probe_{{probe}}.{{kind}}",
    probe=["coverage", *(probe for probe in PROBES if probe != "verdicts")],
    kind=["pdf", "png", "svg"],
)


rule coverage:
    """Taps of the generator that no training clip reaches, for every run that the tables print."""
    input:
        source("models/coverage"),
        source("models/taps"),
    output:
        coverage=f"{RESULTS}/probes/coverage.csv",
        taps=f"{RESULTS}/probes/taps.csv",
    log:
        f"{LOGS}/coverage.log",
    conda:
        MAIN_ENVIRONMENT
    params:
        runs=json.dumps([STUDY.runs[run].to_dict() for run in STUDY.trained]),
    shell:
        "python -m codec_cliff.models.coverage --runs {params.runs:q} --output {output.coverage} --taps {output.taps} > {log} 2>&1"


rule repair:
    """Set the uncovered taps of a finished model to zero; nothing is retrained."""
    input:
        source("probes/repair"),
        source("probes/edits"),
        model=lambda wildcards: weights(REPAIRED[known(wildcards.repaired, REPAIRED)]),
    output:
        f"{RESULTS}/runs/{{repaired}}/model.safetensors",
        f"{RESULTS}/runs/{{repaired}}/repair.json",
    log:
        f"{LOGS}/repair/{{repaired}}.log",
    conda:
        MAIN_ENVIRONMENT
    params:
        source=lambda wildcards: f"{RESULTS}/runs/{REPAIRED[known(wildcards.repaired, REPAIRED)]}",
        folder=f"{RESULTS}/runs/{{repaired}}",
    shell:
        "python -m codec_cliff.probes.repair --source {params.source} --folder {params.folder} > {log} 2>&1"


rule probe_scores:
    """A probe run as it is, repaired, with its controls and in chunks: every utterance scored, and its errors by position."""
    input:
        [
            source(f"probes/{name}")
            for name in ("variants", "edits", "chunks", "positions")
        ],
        model=f"{RESULTS}/runs/{{codec}}/model.safetensors",
        manifest=f"{RESULTS}/data/test.tsv",
        store=f"{RESULTS}/data/test.npy",
    output:
        scores=f"{RESULTS}/probes/scores/{{codec}}.csv",
        positions=f"{RESULTS}/probes/positions/{{codec}}.csv",
    log:
        f"{LOGS}/probe_scores/{{codec}}.log",
    conda:
        MAIN_ENVIRONMENT
    params:
        folder=lambda wildcards, input: Path(input.model).parent,
        metrics=[f"{name}:{STUDY.metrics[name]}" for name in STUDY.probes.metrics],
        cache=STUDY.cache,
    shell:
        "python -m codec_cliff.probes.variants --run-folder {params.folder} --manifest {input.manifest} --store {input.store}"
        " --metrics {params.metrics} --cache {params.cache:q} --scores {output.scores} --positions {output.positions} > {log} 2>&1"


rule probe_drift:
    """How far each tap of a probe run moved from its initial value, which the seed gives again."""
    input:
        source("probes/drift"),
        model=f"{RESULTS}/runs/{{codec}}/model.safetensors",
    output:
        f"{RESULTS}/probes/drift/{{codec}}.csv",
    log:
        f"{LOGS}/probe_drift/{{codec}}.log",
    conda:
        MAIN_ENVIRONMENT
    params:
        folder=lambda wildcards, input: Path(input.model).parent,
    shell:
        "python -m codec_cliff.probes.drift --run-folder {params.folder} --output {output} > {log} 2>&1"


rule probe_answers:
    """One table a question and the verdicts, from every probe run."""
    input:
        [source(f"probes/{name}") for name in ANSWER_MODULES],
        expand(
            f"{RESULTS}/probes/{{kind}}/{{codec}}.csv",
            kind=["scores", "positions", "drift"],
            codec=STUDY.probe_runs,
        ),
        f"{RESULTS}/alignment/phonemes_per_frame.csv",
    output:
        expand(f"{RESULTS}/probes/{{question}}.csv", question=PROBES),
    log:
        f"{LOGS}/probe_answers.log",
    conda:
        MAIN_ENVIRONMENT
    params:
        study=STUDY_JSON,
        results=results_folder,
        codecs=list(STUDY.probe_runs),
    shell:
        "python -m codec_cliff.probes.answers --study {params.study:q} --results {params.results} --codecs {params.codecs} > {log} 2>&1"


rule probe_quality:
    """Every probe run in every metric, seeds and all, and what one clip length costs against another."""
    input:
        [
            source(name)
            for name in ("probes/quality", "probes/arms", "statistics/summary")
        ],
        measured(STUDY.probe_runs),
        expand(f"{RESULTS}/runs/{{run}}/run.json", run=STUDY.probe_runs),
    output:
        rows=f"{RESULTS}/probes/quality.csv",
        verdicts=f"{RESULTS}/probes/quality_verdicts.csv",
    log:
        f"{LOGS}/probe_quality.log",
    conda:
        MAIN_ENVIRONMENT
    params:
        study=STUDY_JSON,
        results=results_folder,
        codecs=list(STUDY.probe_runs),
    shell:
        "python -m codec_cliff.probes.quality --study {params.study:q} --results {params.results} --codecs {params.codecs}"
        " --rows {output.rows} --verdicts {output.verdicts} > {log} 2>&1"
