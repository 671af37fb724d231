#!/usr/bin/env bash
# What the stand-in for Xcode's script sandbox needs, from Debian's packages, without installing them:
#     FOLDER/xcode/libfuse3.so.3
#     FOLDER/xcode/busybox         the smallest shell that the script phase is tried with
set -euo pipefail
mkdir -p "${1:?usage: xcode.sh FOLDER}"
place=$(cd "$1" && pwd)/xcode
[ -e "$place/installed" ] && exit
fail() { echo "xcode: $1" >&2; exit 1; }
command -v apt-get dpkg-deb >/dev/null || fail "needs apt-get and dpkg-deb, as Debian has them"
[ -w /dev/fuse ] || fail "there is no /dev/fuse that may be used here"

part=$place.part
rm -rf "$part"
mkdir -p "$part/root"
cd "$part"
get() { apt-get -qq download libfuse3-3 busybox-static; }
get 2>/dev/null || { apt-get -qq update && get; } || fail "Debian's packages cannot be had"
for package in *.deb; do dpkg-deb -x "$package" root; done
cp -L root/usr/lib/*/libfuse3.so.3 root/lib/*/libfuse3.so.3 . 2>/dev/null || [ -e libfuse3.so.3 ]
cp -L root/bin/busybox root/usr/bin/busybox . 2>/dev/null || [ -e busybox ]
rm -rf root ./*.deb "$place"
touch installed
mv "$part" "$place"
