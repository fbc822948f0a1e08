# codec-cliff: what a frame rate costs a neural speech codec. The rule files follow the data's way and the paper's sections.
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")


# The project's config.yaml is read in any case (common.smk); where Snakemake runs elsewhere, one that lies there differs from it.
if Path("config.yaml").exists():

    configfile: "config.yaml"


report: "workflow/report/workflow.rst"


container: "codec-cliff.sif"  # for --sdm apptainer; the Dockerfile says how it is made


include: "workflow/rules/common.smk"
include: "workflow/rules/downloads.smk"  # published weights and code, pinned
include: "workflow/rules/corpus.smk"  # section 3.1, 3.4: recordings, manifest, audio store
include: "workflow/rules/phonemes.smk"  # section 4.3: alignment, phonemes per frame
include: "workflow/rules/training.smk"  # section 3.3, 3.4: one job a codec
include: "workflow/rules/probes.smk"  # not in the paper: why is there a cliff?
include: "workflow/rules/reconstruction.smk"  # section 3.2: decoded audio and codes
include: "workflow/rules/codebook.smk"  # section 4.4
include: "workflow/rules/metrics.smk"  # section 3.2
include: "workflow/rules/report.smk"  # Tables 1-4, Figure 1, the page


# Seconds to a minute of one core each: not worth a place in a cluster's queue, and downloads need its login node's network.
localrules:
    all,
    arm,
    arms,
    claims,
    clean_branch,
    code_usage,
    codebook,
    controls,
    coverage,
    download,
    downloads,
    fetch,
    figure,
    figure1,
    listening,
    page,
    paper_comparison,
    phonemes_per_frame,
    probe_answers,
    probe_drift,
    probe_quality,
    probes,
    published,
    published_page,
    repair,
    report,
    statistics,
    synthesize,
    table,
    table1,
    table2,
    table3,
    table4,


rule all:
    """Tables 1-4, Figure 1 and the report: the paper, and nothing beside it."""
    default_target: True
    input:
        TABLE_FILES,
        FIGURE_FILES,
        f"{RESULTS}/paper_comparison.csv",
        f"{RESULTS}/report.html",


rule controls:
    """The control runs that the paper lacks, trained and measured; the report shows them when they are there."""
    input:
        measured(STUDY.control_runs),


rule probes:
    """The questions that the paper did not ask, with their own trainings; the report shows the answers when they are there."""
    input:
        PROBE_FILES,


rule arms:
    """The probes' runs in every metric, and the table and figure that set them side by side."""
    input:
        ARM_FILES,


rule arm:
    """One run of the study, trained, measured and probed, whatever becomes of the others: --config branch=<codec>."""
    input:
        everything_of_the_branch,


rule published:
    """A study as results/pilot is kept: the page without recordings, which waits for all tables, figures, probes and arms."""
    input:
        f"{RESULTS}/published.html",


rule downloads:
    """Everything that has to be fetched or made before the first job: run it on a node with network."""
    input:
        CORPUS_READY,
        [fetched(name) for name in FETCHED],
        ALIGNER_READY,


rule table1:
    """Table 1: published codecs."""
    input:
        f"{RESULTS}/tables/table1.md",


rule table2:
    """Table 2: frame rates under fixed clip duration, and the repaired models."""
    input:
        f"{RESULTS}/tables/table2.md",


rule table3:
    """Table 3: codebook utilization and entropy efficiency."""
    input:
        f"{RESULTS}/tables/table3.md",


rule table4:
    """Table 4: frame rates under fixed tokens per clip."""
    input:
        f"{RESULTS}/tables/table4.md",


rule figure1:
    """Figure 1: WER, STOI and phonemes per frame against frame rate."""
    input:
        FIGURE_FILES,


rule report:
    """The page that holds tables, figure, choices and provenance."""
    input:
        f"{RESULTS}/report.html",


rule clean_branch:
    """Delete everything made of one trained codec, so that the next run makes it anew: --config branch=<codec>."""
    log:
        f"{LOGS}/clean_branch.log",
    conda:
        "envs/codec-cliff.yaml"
    params:
        results=results_folder,
        codec=lambda wildcards: branch("clean_branch"),
    shell:
        "python -m codec_cliff.branch --results {params.results} --codec {params.codec} 2>&1 | tee {log}"


# Here and not in onstart, which Snakemake leaves out where there is nothing to be done.
if workflow.is_main_process:
    for line in [*stale_models(STUDY, RESULTS), *changed_recordings(STUDY, RESULTS)]:
        print(line, file=sys.stderr)


onstart:
    record_study(config, RESULTS)


onsuccess:
    if Path(f"{RESULTS}/report.html").exists():
        print(f"\nThe report: {RESULTS}/report.html")
