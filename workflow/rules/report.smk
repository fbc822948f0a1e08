# Tables 1-4, Figure 1 and the page: intervals first, rendering after, no arithmetic in between.
SUMMARIES = ["summary", "comparisons", "phonemes"]
REPORT_MODULES = sorted(str(path) for path in Path("codec_cliff/report").glob("*.py"))
# Control runs are shown once they are measured. They are no inputs: `all` must neither wait for them nor train one anew.
MEASURED_CONTROLS = [
    codec
    for codec in STUDY.control_runs
    if all(
        Path(f"{RESULTS}/metrics/{codec}/{metric}.csv").exists() for metric in METRICS
    )
]
CODEBOOKS = expand(f"{RESULTS}/codebook/{{codec}}.csv", codec=STUDY.trained)
SUMMARY_INPUTS = {
    "summary": measured(STUDY.evaluated),
    "comparisons": measured(STUDY.evaluated),
    "phonemes": [f"{RESULTS}/alignment/phonemes_per_frame.csv"],
}
TABLE_INPUTS = {
    **dict.fromkeys(["table1", "table2", "table4"], [f"{RESULTS}/summary.csv"]),
    "table3": CODEBOOKS,
    "coverage": [f"{RESULTS}/probes/coverage.csv"],
    "phonemes": [f"{RESULTS}/phonemes.csv"],
}


rule statistics:
    """Corpus figures and paired differences with bootstrap intervals; phonemes per frame over the corpus."""
    input:
        source("statistics"),
        source("bootstrap"),
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


rule table:
    """One table as CSV, Markdown and LaTeX, the paper's values beside ours."""
    input:
        REPORT_MODULES,
        data=lambda wildcards: TABLE_INPUTS[wildcards.table],
    output:
        multiext(f"{RESULTS}/tables/{{table}}", ".csv", ".md", ".tex"),
    log:
        f"{LOGS}/tables/{{table}}.log",
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
    """Figure 1: WER and STOI against frame rate under both protocols, and phonemes per frame."""
    input:
        REPORT_MODULES,
        f"{RESULTS}/summary.csv",
        f"{RESULTS}/phonemes.csv",
    output:
        FIGURE_FILES,
    log:
        f"{LOGS}/figure1.log",
    conda:
        MAIN_ENVIRONMENT
    params:
        study=STUDY_JSON,
        results=results_folder,
        stem=lambda wildcards, output: Path(output[0]).with_suffix(""),
    shell:
        "python -m codec_cliff.report.figure1 --study {params.study:q} --results {params.results} --output {params.stem} > {log} 2>&1"


rule page:
    """The report: tables, figure, our choices, provenance; one file that opens from disk."""
    input:
        REPORT_MODULES,
        "codec_cliff/report/page.html.jinja",
        TABLE_FILES,
        FIGURE_FILES,
        f"{RESULTS}/comparisons.csv",
        expand(f"{RESULTS}/runs/{{run}}/run.json", run=STUDY.trained),
    output:
        f"{RESULTS}/report.html",
    log:
        f"{LOGS}/report.log",
    conda:
        MAIN_ENVIRONMENT
    params:
        study=STUDY_JSON,
        results=results_folder,
    shell:
        "python -m codec_cliff.report.page --study {params.study:q} --results {params.results} --output {output} > {log} 2>&1"
