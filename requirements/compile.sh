#!/usr/bin/env bash
# Compiles pyproject.toml into base.txt (the gateway), serve.txt (with the embedded models and what
# builds an editable install) and test.txt (all of it and the judges), each within the one before.
# clients-*.txt are environments of their own, for the clients that tests/clients runs.
# Pins that still fit stay; pass --upgrade or --upgrade-package NAME to move them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    uv=.cache/uv/bin/uv
    if [ ! -x "$uv" ]; then
        "${PYTHON:-python3}" -m venv --without-pip .cache/uv
        "${PYTHON:-python3}" -m pip --python .cache/uv --disable-pip-version-check --quiet install uv
    fi
fi

compile() {
    "$uv" pip compile pyproject.toml --universal --generate-hashes --no-header --quiet \
        --python-version 3.11 "$@"
}
compile "$@" --output-file requirements/base.txt
compile "$@" --extra local --group build \
    --output-file requirements/serve.txt --constraints requirements/base.txt
compile "$@" --extra local --group build --group dev \
    --output-file requirements/test.txt --constraints requirements/serve.txt

clients() {
    "$uv" pip compile --group "clients-$1" --universal --generate-hashes --no-header --quiet \
        --python-version 3.11 "${@:2}" --output-file "requirements/clients-$1.txt"
}
clients libraries "$@"
clients aider "$@"
