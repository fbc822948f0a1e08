# Section 3.2: one job a codec and metric, one row an utterance.


rule metric:
    """One metric of one codec's reconstructions."""
    input:
        metric_modules,
        manifest=f"{RESULTS}/data/test.tsv",
        store=ancient(f"{RESULTS}/data/test.npy"),
        reconstruction=f"{RESULTS}/reconstruction/{{codec}}/manifest.tsv",
    output:
        f"{RESULTS}/metrics/{{codec}}/{{metric}}.csv",
    log:
        f"{LOGS}/metric/{{codec}}/{{metric}}.log",
    conda:
        MAIN_ENVIRONMENT
    params:
        backend=lambda wildcards: STUDY.metrics[wildcards.metric],
        cache=STUDY.cache,
    shell:
        "python -m codec_cliff.metrics --metric {wildcards.metric} --backend {params.backend} --manifest {input.manifest} --store {input.store}"
        " --reconstruction {input.reconstruction} --cache {params.cache:q} --output {output} > {log} 2>&1"
