#!/bin/sh
# The steps that build the image, in their order: deploy/build.sh packages-cpu | packages-gpu | program | system
# VENV says where the virtual environment lies (default /venv); APT_GET is the program that installs libraries.
set -eu
venv=${VENV:-/venv}
case ${1:-} in
packages-cpu | packages-gpu) # a file with another hash is refused
    python3 -m venv "$venv"
    if [ "$1" = packages-cpu ]; then # torch is the build without CUDA
        set -- --extra-index-url "${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}"
    else
        set -- -r deploy/requirements-gpu.hashes
    fi
    "$venv/bin/python" -m pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps \
        "$@" -r deploy/requirements.hashes
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
    echo "usage: $0 packages-cpu | packages-gpu | program | system" >&2
    exit 2
    ;;
esac
