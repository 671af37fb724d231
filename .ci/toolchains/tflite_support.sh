#!/usr/bin/env bash
# What reads the metadata of .tflite files in apps, TensorFlow Lite's Support and Task libraries, in an environment of its
# own, since their pins shut out today's TensorFlow:
#     FOLDER/tflite_support/read     starts a Python that imports tflite_support
# Their wheels end at Python 3.11. libusb is for devices that nobody here has.
set -euo pipefail
mkdir -p "${1:?usage: tflite_support.sh FOLDER}"
place=$(cd "$1" && pwd)/tflite_support
[ -e "$place/installed" ] && exit
fail() { echo "tflite_support: $1" >&2; exit 1; }
is_311() { "$1" -c 'import sys, venv; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; }

for python in "$(dirname "$0")/../../.venv/bin/python" python3.11 python3 ""; do
    [ -n "$python" ] || fail "needs Python 3.11, for which its last wheels are"
    is_311 "$python" && break
done

rm -rf "$place"
"$python" -m venv "$place" || fail "no virtual environment can be made in $place"
"$place/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    --requirement /dev/stdin <<'PINS' || fail "its packages for Linux on x86-64 cannot be had"
tflite-support==0.4.4 --hash=sha256:eb6bffda7532bd0e0c95c69a4a3f1276e0434891b8139c21b71db40c713ccc98
flatbuffers==24.3.25 --hash=sha256:8dbdec58f935f3765e4f7f3cf635ac3a77f83568138d6a2311f524ec96364812
numpy==1.26.4 --hash=sha256:666dbfb6ec68962c033a450943ded891bed2d54e6755e35e5835d63f4f6931d5
protobuf==3.20.3 --hash=sha256:a7ca6d488aa8ff7f329d4c545b2dbad8ac31464f1d8b1c87ad1346717731e4db
absl-py==1.4.0 --hash=sha256:0d3fe606adfa4f7db64792dd4c7aee4ee0c38ab75dfd353b7a83ed3e957fcb47
libusb-package==1.0.30.0 --hash=sha256:f502ad5a0527b8c0431de817662325c88a1bba2cc334173665b04ad168d7b6d3
PINS
libusb=$place/lib/python3.11/site-packages/libusb_package
ln -s libusb-1.0.so "$libusb/libusb-1.0.so.0"
cat >"$place/read" <<SH
#!/bin/sh
LD_LIBRARY_PATH='$libusb' exec '$place/bin/python' "\$@"
SH
chmod +x "$place/read"
"$place/read" -c 'from tflite_support import metadata, task' || fail "it does not load"
touch "$place/installed"
