#!/bin/bash
# fetch_cuda_headers.sh [--with-cublas] DIR - puts NVIDIA's public CUDA headers into DIR, for the emulated CUDA tests on a
# machine without a toolkit. No GPU, driver or compiler is needed, only Debian's python3-pip (or python3-venv).
#
# The headers come from pinned wheels on PyPI, of which only the include folders are kept:
#   nvidia-cuda-runtime   2.2 MB   cuda_runtime_api.h, vector_functions.h, cuda_fp16.h, cuda_bf16.h
#   nvidia-cuda-crt       0.1 MB   crt/host_defines.h
#   nvidia-cuda-cccl      3.1 MB   nv/target
#   nvidia-cublas       421   MB   cublasLt.h (--with-cublas: the stand-in for cuBLASLt is tested too)
# Then: cmake -DWEFT_CUDA_HEADERS=DIR ... A DIR that already holds these versions is left as it is.
set -euo pipefail

wheels=(nvidia-cuda-runtime==13.0.96 nvidia-cuda-crt==13.0.88 nvidia-cuda-cccl==13.0.85)
needed=(cuda_runtime_api.h vector_functions.h cuda_fp16.h cuda_bf16.h crt/host_defines.h nv/target)
if [ "${1:-}" = --with-cublas ]; then
    wheels+=(nvidia-cublas==13.0.2.14)
    needed+=(cublasLt.h)
    shift
fi
if [ $# -ne 1 ] || [[ "$1" = -* ]]; then
    echo "usage: $0 [--with-cublas] DIR" >&2
    exit 2
fi
dir=$1

if [ -f "$dir/versions.txt" ] && [ -z "$(printf '%s\n' "${wheels[@]}" | grep -vxFf "$dir/versions.txt")" ]; then
    echo "CUDA headers: $dir is complete"
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Debian splits pip off: take it from a virtual environment where the system's python has none.
python=python3
if ! $python -m pip --version >/dev/null 2>&1; then
    python3 -m venv "$work/venv" || { echo "CUDA headers: install python3-pip or python3-venv" >&2; exit 1; }
    python=$work/venv/bin/python
fi

# Wheels for Linux x86-64 hold the same headers as all others; naming the platform makes the choice independent of where
# this runs.
$python -m pip download --quiet --disable-pip-version-check --no-deps --no-cache-dir --only-binary=:all: \
    --platform manylinux_2_27_x86_64 --platform manylinux2014_x86_64 --dest "$work/wheels" "${wheels[@]}"

mkdir -p "$dir"
$python - "$work/wheels" "$dir" <<'PYTHON'
import pathlib
import sys
import zipfile

wheels, target = map(pathlib.Path, sys.argv[1:])
for wheel in sorted(wheels.glob("*.whl")):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            folder, found, path = name.partition("/include/")
            if not found or not path or path.endswith("/") or ".." in path.split("/"):
                continue
            if path.startswith("cccl/"):  # a second copy, and the C++ libraries that Weft does not use
                continue
            out = target / path
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_bytes(archive.read(name))
PYTHON

for header in "${needed[@]}"; do
    [ -f "$dir/$header" ] || { echo "CUDA headers: $header is missing from the wheels" >&2; exit 1; }
done
printf '%s\n' "${wheels[@]}" > "$dir/versions.txt"
echo "CUDA headers: $dir, $(du -sm "$dir" | cut -f1) MB"
