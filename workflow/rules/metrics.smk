# Section 3.2: one job a codec and metric, one row an utterance.
BACKEND_MODULES = {
    "pocketsphinx": ["metrics/recognisers/pocketsphinx"],
    "mms_1b_all": ["metrics/recognisers/mms"],
    "dnsmos_p808": ["metrics/predictors/dnsmos"],
    "utmos22_strong": ["metrics/predictors/utmos22"],
}


def metric_modules(wildcards):
    """What a metric's figures depend on: its own file, its backend's, and how signals are paired and matched."""
    backend = BACKEND_MODULES.get(STUDY.metrics[wildcards.metric], [])
    return [module(name) for name in (f"metrics/{wildcards.metric}", "metrics/pairs", "metrics/waveform", *backend)]


rule metric:
    """One metric of one codec's reconstructions."""
    input:
        metric_modules,
        manifest=f"{RESULTS}/data/test.tsv",
        store=f"{RESULTS}/data/test.npy",
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
