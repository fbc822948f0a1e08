# Not in the paper: which taps a clip never trains, and what they cost once they are switched on.


rule coverage:
    """Taps of the generator that no training clip reaches, for every run that the tables print."""
    input:
        source("probes/coverage"),
    output:
        f"{RESULTS}/probes/coverage.csv",
    log:
        f"{LOGS}/coverage.log",
    conda:
        MAIN_ENVIRONMENT
    params:
        runs=json.dumps([STUDY.runs[run].to_dict() for run in STUDY.trained]),
    shell:
        "python -m codec_cliff.probes.coverage --runs {params.runs:q} --output {output} > {log} 2>&1"


rule repair:
    """Set the uncovered taps of a finished model to zero; nothing is retrained."""
    input:
        source("probes/repair"),
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
