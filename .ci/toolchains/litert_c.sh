#!/usr/bin/env bash
# LiteRT's C library for Linux, FOLDER/litert_c/libtensorflowlite_c.so: what TensorFlowLiteC is on a phone. It comes out of
# a wheel that brings it for a purpose of its own; Google publishes none.
set -euo pipefail
mkdir -p "${1:?usage: litert_c.sh FOLDER}"
place=$(cd "$1" && pwd)/litert_c
[ -e "$place/installed" ] && exit
fail() { echo "litert_c: $1" >&2; exit 1; }
wheel=pymicro_wakeword-2.5.0-py3-none-manylinux_2_35_x86_64.whl
digest=3869f536402b1254e3be3549d3a462ecd6ed21ce2c3e77ec8eb501c3c700417c
python=python3
[ -x .venv/bin/python ] && python=.venv/bin/python

rm -rf "$place"
mkdir -p "$place"
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --python-version 3.11 \
    --platform manylinux_2_35_x86_64 --dest "$place" pymicro-wakeword==2.5.0 || fail "the wheel cannot be had"
echo "$digest  $place/$wheel" | sha256sum --check --quiet || fail "$wheel is another one than that of this script"
"$python" - "$place" "$wheel" <<'PYTHON'
import sys, zipfile
from pathlib import Path

place, wheel = Path(sys.argv[1]), sys.argv[2]
with zipfile.ZipFile(place / wheel) as packed:
    (place / "libtensorflowlite_c.so").write_bytes(packed.read("pymicro_wakeword/lib/libtensorflowlite_c.so"))
(place / wheel).unlink()
PYTHON
touch "$place/installed"
