# Tables 1-4, Figure 1 and the page: intervals first, rendering after, no arithmetic in between.
SUMMARIES = ["summary", "comparisons", "phonemes"]
REPORT_MODULES = sorted(str(path) for path in Path(PACKAGE, "report").glob("*.py"))
TEMPLATES = sorted(str(path) for path in Path(PACKAGE, "report/templates").iterdir())
# Control runs are shown once they are measured. They are no inputs: `all` must neither wait for them nor train one anew.
MEASURED_CONTROLS = [
    codec
    for codec in STUDY.control_runs
    if all(
        Path(f"{RESULTS}/metrics/{codec}/{metric}.csv").exists() for metric in METRICS
    )
]
# Nor for the runs of the probes alone, which give the paper's claims a second seed.
FURTHER_RUNS = [codec for codec in STUDY.probe_runs if codec not in STUDY.trained]
CODEBOOKS = expand(f"{RESULTS}/codebook/{{codec}}.csv", codec=STUDY.trained)
SUMMARY_INPUTS = {
    "summary": measured(STUDY.evaluated),
    "comparisons": measured(STUDY.evaluated),
    "phonemes": [f"{RESULTS}/alignment/phonemes_per_frame.csv"],
}
TABLE_INPUTS = {
    **dict.fromkeys(["table1", "table2", "table4"], [f"{RESULTS}/summary.csv"]),
    "table3": CODEBOOKS,
    **{
        f"probe_{probe}": [f"{RESULTS}/probes/{probe}.csv"]
        for probe in [*PROBES, "quality"]
    },
    "coverage": [f"{RESULTS}/probes/coverage.csv"],
    "phonemes": [f"{RESULTS}/phonemes.csv"],
    **dict.fromkeys(
        ["cost", "cost_paper"],
        expand(f"{RESULTS}/runs/{{run}}/run.json", run=STUDY.trained),
    ),
}
FIGURE_INPUTS = {
    "figure1": [f"{RESULTS}/summary.csv", f"{RESULTS}/phonemes.csv"],
    **{
        f"probe_{probe}": [f"{RESULTS}/probes/{probe}.csv"]
        for probe in ["coverage", "quality", *PROBES]
    },
}
PAGE_INPUTS = [
    *REPORT_MODULES,
    *TEMPLATES,
    *TABLE_FILES,
    *FIGURE_FILES,
    f"{RESULTS}/claims.csv",
    f"{RESULTS}/comparisons.csv",
    f"{RESULTS}/paper_comparison.csv",
    f"{RESULTS}/codebook/usage.csv",
    *expand(f"{RESULTS}/runs/{{run}}/run.json", run=STUDY.trained),
]


rule statistics:
    """Corpus figures and paired differences with bootstrap intervals; phonemes per frame over the corpus."""
    input:
        source("statistics/summary"),
        source("statistics/bootstrap"),
        measurements=lambda wildcards: SUMMARY_INPUTS[wildcards.summary],
    output:
        f"{RESULTS}/{{summary}}.csv",
    log:
        f"{LOGS}/statistics/{{summary}}.log",
    wildcard_constraints:
        summary="|".join(SUMMARIES),
    conda:
        MAIN_ENVIRONMENT
    params:
        study=STUDY_JSON,
        results=results_folder,
        codecs=lambda wildcards: (
            []
            if wildcards.summary == "phonemes"
            else ["--codecs", *STUDY.evaluated, *MEASURED_CONTROLS]
        ),
    shell:
        "python -m codec_cliff.statistics {wildcards.summary} --study {params.study:q} --results {params.results} --output {output}"
        " {params.codecs} > {log} 2>&1"


rule paper_comparison:
    """Every figure of the paper's beside ours, with a verdict."""
    input:
        REPORT_MODULES,
        source("statistics/paper_comparison"),
        CODEBOOKS,
        f"{RESULTS}/summary.csv",
        f"{RESULTS}/phonemes.csv",
    output:
        f"{RESULTS}/paper_comparison.csv",
    log:
        f"{LOGS}/paper_comparison.log",
    conda:
        MAIN_ENVIRONMENT
    params:
        study=STUDY_JSON,
        results=results_folder,
    shell:
        "python -m codec_cliff.statistics.paper_comparison --study {params.study:q} --results {params.results} --output {output} > {log} 2>&1"


rule claims:
    """The paper's claims, one by one: what this study measured, and whether it agrees."""
    input:
        source("statistics/claims"),
        source("statistics/bootstrap"),
        source("statistics/seeds"),
        f"{PACKAGE}/paper/claims.yaml",
        f"{RESULTS}/phonemes.csv",
        measured(STUDY.trained),
        CODEBOOKS,
    output:
        shown(
            f"{RESULTS}/claims.csv",
            "claims",
            "Verdict",
            {"what": "the paper's claims"},
        ),
    log:
        f"{LOGS}/claims.log",
    conda:
        MAIN_ENVIRONMENT
    params:
        study=STUDY_JSON,
        results=results_folder,
        seeds=lambda wildcards: as_found(metric_files(FURTHER_RUNS)),
    shell:
        "python -m codec_cliff.statistics.claims --study {params.study:q} --results {params.results} --output {output} > {log} 2>&1"


rule code_usage:
    """Histograms of code use, a level each, for every trained model."""
    input:
        source("codes/usage"),
        reconstructed(STUDY.trained),
        reference=f"{RESULTS}/data/test.tsv",
    output:
        f"{RESULTS}/codebook/usage.csv",
    log:
        f"{LOGS}/code_usage.log",
    conda:
        MAIN_ENVIRONMENT
    params:
        codecs=STUDY.trained,
        results=results_folder,
        hop_length=max(STUDY.runs[run].hop_length for run in STUDY.trained),
        seed=STUDY.seed,
    shell:
        "python -m codec_cliff.codes.usage --codecs {params.codecs} --reconstruction {params.results}/reconstruction"
        " --manifest {input.reference} --longest-hop {params.hop_length} --seed {params.seed} --output {output} > {log} 2>&1"


rule listening:
    """Clips and pictures of a few utterances, picked by rule, from every codec."""
    input:
        source("report/listening"),
        reconstructed(STUDY.evaluated),
        manifest=f"{RESULTS}/data/test.tsv",
        errors=expand(f"{RESULTS}/metrics/{{codec}}/wer.csv", codec=STUDY.evaluated),
    output:
        f"{RESULTS}/listening/listening.json",
    log:
        f"{LOGS}/listening.log",
    conda:
        MAIN_ENVIRONMENT
    params:
        results=results_folder,
        folder=lambda wildcards, output: Path(output[0]).parent,
        codecs=[*STUDY.evaluated, *MEASURED_CONTROLS],
        ranked_by=STUDY.trained,
    shell:
        "python -m codec_cliff.report.listening --results {params.results} --codecs {params.codecs} --ranked-by {params.ranked_by}"
        " --folder {params.folder} > {log} 2>&1"


rule table:
    """One table as CSV, Markdown and LaTeX, the paper's values beside ours; probes have theirs."""
    input:
        REPORT_MODULES,
        data=lambda wildcards: TABLE_INPUTS[wildcards.table],
    output:
        shown(
            f"{RESULTS}/tables/{{table}}.csv",
            "table",
            "Tables",
            {"table": "{table}", "format": "CSV"},
        ),
        multiext(f"{RESULTS}/tables/{{table}}", ".md", ".tex"),
    log:
        f"{LOGS}/tables/{{table}}.log",
    wildcard_constraints:
        table=alternatives(TABLE_INPUTS),
    conda:
        MAIN_ENVIRONMENT
    params:
        study=STUDY_JSON,
        results=results_folder,
        stem=lambda wildcards, output: Path(output[0]).with_suffix(""),
    shell:
        "python -m codec_cliff.report.tables --table {wildcards.table} --study {params.study:q} --results {params.results}"
        " --output {params.stem} > {log} 2>&1"


rule figure:
    """Figure 1 or a probe's figure as PDF, PNG and SVG."""
    input:
        REPORT_MODULES,
        data=lambda wildcards: FIGURE_INPUTS[wildcards.figure],
    output:
        shown(
            f"{RESULTS}/figures/{{figure}}.png",
            "figure",
            "Figures",
            {"figure": "{figure}", "format": "PNG"},
        ),
        multiext(f"{RESULTS}/figures/{{figure}}", ".pdf", ".svg"),
    log:
        f"{LOGS}/figures/{{figure}}.log",
    wildcard_constraints:
        figure=alternatives(FIGURE_INPUTS),
    conda:
        MAIN_ENVIRONMENT
    params:
        study=STUDY_JSON,
        results=results_folder,
        stem=lambda wildcards, output: Path(output[0]).with_suffix(""),
    shell:
        "python -m codec_cliff.report.figures --figure {wildcards.figure} --study {params.study:q} --results {params.results}"
        " --output {params.stem} > {log} 2>&1"


rule page:
    """The report: verdict, sound, tables, figures, our choices, provenance; one file that opens from disk."""
    input:
        PAGE_INPUTS,
        f"{RESULTS}/listening/listening.json",
    output:
        shown(
            f"{RESULTS}/report.html",
            "page",
            "Page",
            {"what": "everything on one page, with sound"},
        ),
    log:
        f"{LOGS}/report.log",
    conda:
        MAIN_ENVIRONMENT
    params:
        study=STUDY_JSON,
        results=results_folder,
        probes=lambda wildcards: as_found(PROBE_FILES + ARM_FILES),
    shell:
        "python -m codec_cliff.report.page --study {params.study:q} --results {params.results} --output {output} > {log} 2>&1"


rule published_page:
    """The report without recordings, for a repository of results: with every probe and every arm."""
    input:
        PAGE_INPUTS,
        PROBE_FILES,
        ARM_FILES,
    output:
        f"{RESULTS}/published.html",
    log:
        f"{LOGS}/published.log",
    conda:
        MAIN_ENVIRONMENT
    params:
        study=STUDY_JSON,
        results=results_folder,
    shell:
        "python -m codec_cliff.report.page --study {params.study:q} --results {params.results} --output {output}"
        " --without-recordings > {log} 2>&1"
