#!/usr/bin/env bash
# Build llama.cpp's Python server into an environment of its own and test the endpoint backend
# against it. The build takes minutes, so it is done once. It needs a C++ compiler.
#   tools/test_llamacpp.sh PYTHON [FOLDER]
set -euo pipefail
python=${1:?the Python that runs the tests}
folder=${2:-.venv-llamacpp}
version=0.3.36
if [ ! -f "$folder/.installed-$version" ]; then
    command -v g++ >/dev/null || { echo "A C++ compiler is needed (Debian: g++)." >&2; exit 2; }
    "$python" -m venv "$folder"
    # Without GGML_NATIVE=OFF the build takes what the processor claims to have; in a virtual
    # machine that may be more than it may use (AMX), and the server dies of an illegal instruction.
    export CMAKE_ARGS="-DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF ${CMAKE_ARGS:-}"
    export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-1}
    # A wheel from pip's cache may have been built for another machine, or without these options.
    "$folder/bin/python" -m pip --disable-pip-version-check --no-cache-dir -q install "llama-cpp-python[server]==$version"
    touch "$folder/.installed-$version"
fi
LLAMACPP_PYTHON=$(realpath -s "$folder/bin/python") exec "$python" -m pytest -m llamacpp tests/e2e/test_endpoint_llamacpp.py
