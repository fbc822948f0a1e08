# Everything that jobs would otherwise look for on the network, fetched and verified where Snakemake itself runs.


rule fetch:
    """Weights and code of one published codec, metric or aligner, at their pins."""
    output:
        f"{STUDY.cache}/downloads/{{name}}.complete",
    log:
        f"{LOGS}/fetch/{{name}}.log",
    wildcard_constraints:
        name=alternatives(DOWNLOADS),
    retries: 2
    conda:
        MAIN_ENVIRONMENT
    params:
        cache=cache_folder,
        pins=lambda wildcards: pin_of(wildcards.name),
    message:
        "{wildcards.name}: {params.pins}"
    shell:
        "python -m codec_cliff.downloads fetch {wildcards.name} --cache {params.cache:q} --marker {output:q} > {log} 2>&1"
