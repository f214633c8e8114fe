#!/bin/sh
# The steps that build the image, in their order: deploy/build.sh packages | program | system
# VENV says where the virtual environment lies (default /venv); APT_GET is the program that installs libraries.
set -eu
venv=${VENV:-/venv}
case ${1:-} in
packages) # a file with another hash is refused; torch is the build without CUDA
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps \
        --extra-index-url "${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}" -r deploy/requirements.hashes
    ;;
program)
    "$venv/bin/python" -m pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation .
    "$venv/bin/python" -c "import cueflow, torch"
    "$venv/bin/cueflow" --help > /dev/null
    ;;
system)
    ${APT_GET:-apt-get} update
    ${APT_GET:-apt-get} install -y --no-install-recommends libgl1 libegl1 libgles2 libglib2.0-0
    rm -rf "${LISTS:-/var/lib/apt/lists}"/*
    ;;
*)
    echo "usage: $0 packages | program | system" >&2
    exit 2
    ;;
esac
