# Fill the conda environment with exactly what uv.lock says, overrides included. Runs in the activated environment, in the checkout.
set -eu
uv export --quiet --locked --no-hashes --no-emit-project --all-groups | uv pip install --no-deps --requirement -
