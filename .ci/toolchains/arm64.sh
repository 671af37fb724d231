#!/usr/bin/env bash
# Emulated arm64 cores of phones: FOLDER/arm64 is what MOBILE_EXPORT_DEVICES names. Our own command sets them up, and looks
# at each time whether they still are what is wanted. Needs apt or the system's qemu-user, and no rights.
set -euo pipefail
mkdir -p "${1:?usage: arm64.sh FOLDER}"
place=$(cd "$1" && pwd)/arm64
rm -f "$place/installed"
make .venv/installed
MOBILE_EXPORT_DEVICES=$place .venv/bin/mobile-export device install arm64
touch "$place/installed"
