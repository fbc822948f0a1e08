# Section 3.2: one job a codec and metric, one row an utterance.


rule references:
    """What one metric computes of the recordings alone, once for all codecs."""
    input:
        metric_modules,
        source("metrics/references"),
        lambda wildcards: fetched(STUDY.metrics[wildcards.metric]),
        manifest=f"{RESULTS}/data/test.tsv",
        store=f"{RESULTS}/data/test.npy",
    output:
        f"{RESULTS}/references/{{metric}}.npz",
    log:
        f"{LOGS}/references/{{metric}}.log",
    wildcard_constraints:
        metric="|".join(WITH_REFERENCE),
    conda:
        metric_environment
    params:
        backend=lambda wildcards: STUDY.metrics[wildcards.metric],
        cache=STUDY.cache,
    shell:
        "python -m codec_cliff.metrics.references --metric {wildcards.metric} --backend {params.backend} --manifest {input.manifest}"
        " --store {input.store} --cache {params.cache:q} --output {output} > {log} 2>&1"


rule metric:
    """One metric of one codec's reconstructions."""
    input:
        metric_modules,
        lambda wildcards: fetched(STUDY.metrics[wildcards.metric]),
        references=references_of,
        manifest=f"{RESULTS}/data/test.tsv",
        store=ancient(f"{RESULTS}/data/test.npy"),
        reconstruction=f"{RESULTS}/reconstruction/{{codec}}/manifest.tsv",
        record=f"{RESULTS}/reconstruction/{{codec}}/codec.json",
    output:
        f"{RESULTS}/metrics/{{codec}}/{{metric}}.csv",
    log:
        f"{LOGS}/metric/{{codec}}/{{metric}}.log",
    conda:
        metric_environment
    params:
        backend=lambda wildcards: STUDY.metrics[wildcards.metric],
        cache=STUDY.cache,
        references=lambda wildcards, input: (
            f"--references {input.references}" if input.references else ""
        ),
        normaliser=STUDY.transcripts["normaliser"],
    shell:
        "python -m codec_cliff.metrics --metric {wildcards.metric} --backend {params.backend} --manifest {input.manifest} --store {input.store}"
        " --reconstruction {input.reconstruction} {params.references} --normaliser {params.normaliser} --cache {params.cache:q} --output {output} > {log} 2>&1"
