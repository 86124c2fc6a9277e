#!/bin/sh
# Renews the locked versions. The files hold hashes and no registry address.
set -eu
cd "$(dirname "$0")/.."
UV=${UV:-.venv/bin/uv}
[ -x "$UV" ] || UV=uv
compile() { "$UV" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-annotate --no-emit-index-url --no-header --custom-compile-command "make lock" "$@"; }
compile requirements/uv.in -o requirements/uv.txt
compile pyproject.toml --extra serve -o requirements/base.txt
# The same versions, with the driver of PostgreSQL.
cp requirements/base.txt requirements/server.txt
compile pyproject.toml --extra serve --extra postgres -o requirements/server.txt
compile pyproject.toml requirements/uv.in --all-extras --group test --group bench --group check --group torture -o requirements/dev.txt
