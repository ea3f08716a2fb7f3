#!/bin/sh
# Fetches a CPU-only libtorch for the trainer's feature `tch` from PyPI's wheels, by pip (about 900 MB to
# download, 500 MB kept), and prints the settings that cargo and the trainer need.
#
#   training/get-libtorch.sh [FOLDER]          default: target/libtorch
#   eval "$(training/get-libtorch.sh)"
#   cargo build --release -p facemark-train --no-default-features --features tch
set -eu

torch=2.9.1 # what burn-tch 0.21 works with, although its bindings were made for 2.9.0
cuda=12     # torch's libtorch_cpu.so asks for these two small CUDA libraries, also where there is no GPU
runtime=12.8.90
cupti=12.8.90

mkdir -p "${1:-target/libtorch}"
root=$(cd "${1:-target/libtorch}" && pwd)

fetch() { # NAME VERSION PATTERN...: unpack the wheel's files that match
    name=$1 version=$2
    shift 2
    python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$root/wheels" "$name==$version" >&2
    wheel=$(ls "$root/wheels/$(echo "$name" | tr - _)-$version"*.whl)
    python3 - "$wheel" "$root/unpacked" "$@" <<'PY'
import fnmatch, sys, zipfile
wheel, target, *patterns = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        if any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            archive.extract(name, target)
PY
    rm "$wheel"
}

if [ ! -e "$root/lib/libtorch.so" ]; then
    fetch torch "$torch" 'torch/include/*' torch/lib/libc10.so torch/lib/libtorch_cpu.so 'torch/lib/libgomp*'
    fetch "nvidia-cuda-runtime-cu$cuda" "$runtime" '*/libcudart.so.*'
    fetch "nvidia-cuda-cupti-cu$cuda" "$cupti" '*/libcupti.so.*'
    mkdir -p "$root/lib"
    mv "$root/unpacked/torch/include" "$root/include"
    find "$root/unpacked" -name 'lib*.so*' -exec mv {} "$root/lib" \;
    # The wheel's own libtorch.so pulls in the GPU libraries; what is needed of it is all in libtorch_cpu.so.
    ln -s libtorch_cpu.so "$root/lib/libtorch.so"
    rm -r "$root/unpacked" "$root/wheels"
fi

echo "export LIBTORCH='$root' LIBTORCH_BYPASS_VERSION_CHECK=1"
echo "export LD_LIBRARY_PATH='$root/lib'\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
