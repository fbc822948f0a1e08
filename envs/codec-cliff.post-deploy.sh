# Fill the conda environment with exactly what uv.lock says, overrides included. Runs in the activated environment, in the checkout.
# It is named to uv, which would otherwise fill the one that `uv run snakemake` exports as VIRTUAL_ENV.
set -eu
uv export --quiet --locked --no-hashes --no-emit-project --all-groups > "$CONDA_PREFIX/requirements.txt"
uv pip install --python "$CONDA_PREFIX" --no-deps --requirement "$CONDA_PREFIX/requirements.txt"
