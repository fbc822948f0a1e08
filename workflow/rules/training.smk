# Sections 3.3 and 3.4: one job a codec. Only the final weights are declared: a failed job keeps its checkpoint and goes on from it.
# Training is repeated where its settings or the choice of recordings change, never because a file has a newer date: the data are
# `ancient`. `codec-cliff status` and the start of every run name models that were trained on other recordings than lie there now.


rule train:
    """Train one frame rate under one clip protocol."""
    input:
        manifest=ancient(f"{RESULTS}/data/train.tsv"),
        store=ancient(f"{RESULTS}/data/train.npy"),
    output:
        f"{RESULTS}/runs/{{run}}/model.safetensors",
        f"{RESULTS}/runs/{{run}}/run.json",
    log:
        f"{LOGS}/train/{{run}}.log",
    priority: 50  # the longest jobs first: metrics fill the gaps
    conda:
        MAIN_ENVIRONMENT
    resources:
        gpu=lambda wildcards: math.ceil(RUNS[known(wildcards.run, RUNS)].gpus),
        gpu_percent=lambda wildcards: round(100 * RUNS[known(wildcards.run, RUNS)].gpus),
        runtime=training_minutes,
    params:
        launcher=launcher,
        run=lambda wildcards: json.dumps(RUNS[known(wildcards.run, RUNS)].to_dict()),
        recordings=TRAINING_RECORDINGS,
        folder=f"{RESULTS}/runs/{{run}}",
    shell:
        "{params.launcher} codec_cliff.training --run {params.run:q} --manifest {input.manifest} --store {input.store} --folder {params.folder} --threads {threads} --log {log}"
