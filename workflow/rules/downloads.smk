# Everything that jobs would otherwise look for on the network, fetched and verified where Snakemake itself runs.


rule fetch:
    """Weights and code of one published codec or metric, at their pins."""
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
        "python -m codec_cliff.downloads fetch {wildcards.name} --cache {params.cache:q} --marker {output} > {log} 2>&1"


rule fetch_aligner:
    """The Montreal Forced Aligner's acoustic model and dictionary."""
    output:
        f"{STUDY.cache}/downloads/mfa_{{model}}.complete",
    log:
        f"{LOGS}/fetch/mfa_{{model}}.log",
    wildcard_constraints:
        model="english_us_arpa|english_mfa",
    conda:
        "../../envs/mfa.yaml"
    params:
        root=f"{STUDY.cache}/mfa",
    shell:
        "python -m codec_cliff.alignment.mfa --model {wildcards.model} --mfa-root {params.root:q} --marker {output} > {log} 2>&1"
