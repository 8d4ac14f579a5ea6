#!/usr/bin/env bash
# Makes .venv hold exactly requirements.lock and this project. Nothing to do costs milliseconds;
# an interrupted run starts again (the stamps are written last, pip's cache keeps the downloads).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/common.sh

venv=.venv
packages_stamp=$venv/.packages
project_stamp=$venv/.project

fingerprint() { cat "$@" | sha256sum | cut -d' ' -f1; }

# The first interpreter that the lock has wheels for.
find_python() {
    local name
    for name in ${PYTHON:-python3.11 python3.12 python3 python}; do
        if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    return 1
}

install_packages() {
    local python version quiet=()
    if [ "$(uname -sm)" != "Linux x86_64" ]; then
        die "setup: requirements.lock is for Linux on x86-64, this is $(uname -sm). Read the head of requirements.in for what works here."
    fi
    python=$(find_python) ||
        die "setup: no Python 3.11 or 3.12 found. Type:  sudo apt-get install -y python3.11 python3.11-venv  (or name one: make setup PYTHON=/path/to/python3.11)"
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        apt_install "Python $version's venv module" "python$version-venv"
    fi
    [ -t 2 ] || quiet=(--quiet)
    say "setup: $(grep -c '^[a-z].*==' requirements.lock) packages for Python $version into $venv (about 450 MB to download the first time)"
    "$python" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install "${quiet[@]}" --disable-pip-version-check --no-input \
        --retries 10 --timeout 60 --no-deps --require-hashes --only-binary :all: \
        -r requirements.lock >&2
}

install_project() {
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input \
        --no-index --no-deps --no-build-isolation -e . >&2
}

# A second `make` in the same tree waits here instead of writing into the same .venv.
exec 9<requirements.lock
if command -v flock >/dev/null; then flock 9; fi
unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_USER

# A venv knows its own place: a moved checkout needs a new one.
packages="$(fingerprint requirements.lock) $PWD"
project=$(fingerprint pyproject.toml requirements.in requirements-dev.in)

if [ ! -x $venv/bin/python ] || [ "$(cat $packages_stamp 2>/dev/null)" != "$packages" ]; then
    rm -f $packages_stamp $project_stamp
    install_packages
    echo "$packages" >$packages_stamp
fi
if [ ! -x $venv/bin/har ] || [ "$(cat $project_stamp 2>/dev/null)" != "$project" ]; then
    install_project
    echo "$project" >$project_stamp
    say "setup: done"
fi
