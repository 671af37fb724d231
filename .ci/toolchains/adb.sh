#!/usr/bin/env bash
# Android's debug bridge, both ends of it, from Debian's packages:
#     FOLDER/adb/adb …                      the program of the computer
#     FOLDER/adb/beside DATA COMMAND…       runs a command beside the daemon of a phone, which adb finds as 127.0.0.1:5555,
#                                           has DATA for its /data, and Android's shell and tools; both have a network of
#                                           their own, since the daemon lets everybody in
# Needs apt, and root or user namespaces for `beside`.
set -euo pipefail
mkdir -p "${1:?usage: adb.sh FOLDER}"
place=$(cd "$1" && pwd)/adb
[ -e "$place/installed" ] && exit
fail() { echo "adb: $1" >&2; exit 1; }
for tool in apt-get dpkg-deb tar chroot unshare; do command -v "$tool" >/dev/null || fail "needs $tool"; done
[ "$(dpkg --print-architecture)" = amd64 ] || fail "is taken for amd64 alone"

. "$(dirname "$0")/lib/debian.sh"

part=$place.part root=$place.part/root here=$place.part/here
rm -rf "$place" "$part"
mkdir -p "$root" "$here"
# The program, with the machine's own C library. It starts itself again, so that no other loader will do.
debian_lists "$part" bookworm || fail "Debian's package lists cannot be had"
wanted=$(debian_needs adb) || fail "Debian's packages do not fit together"
grep -E '^(adb|android-lib.*|libusb.*)$' <<<"$wanted" | debian_unpack "$part" "$here" --exclude=./usr/share ||
    fail "Debian's packages cannot be had"
# The daemon, with all that it needs.
unset APT_CONFIG
debian_lists "$part" trixie || fail "Debian's package lists cannot be had"
wanted=$(debian_needs adbd mksh toybox) || fail "Debian's packages do not fit together"
debian_unpack "$part" "$root" --exclude=./usr/share/{doc,man,locale} <<<"$wanted" || fail "Debian's packages cannot be had"
for folder in bin lib lib64; do [ -e "$root/$folder" ] || ln -s "usr/$folder" "$root/$folder"; done
ln -sf mksh "$root/usr/bin/sh"
for tool in cat chmod env ls mkdir mv rm sha256sum wc; do ln -sf toybox "$root/usr/bin/$tool"; done
mkdir -p "$root"/{data,dev,proc,sys,tmp}
cat >"$root/usr/bin/getprop" <<'SH'
#!/bin/sh
case $1 in
ro.product.cpu.abilist) echo arm64-v8a ;;
ro.product.model) echo a root of Debian ;;
ro.build.version.release) echo 0 ;;
esac
SH
chmod +x "$root/usr/bin/getprop"

cat >"$part/adb" <<SH
#!/bin/sh
libraries=$place/here/usr/lib/x86_64-linux-gnu
LD_LIBRARY_PATH="\$libraries:\$libraries/android" exec $place/here/usr/lib/android-sdk/platform-tools/adb "\$@"
SH
cat >"$part/beside" <<'SH'
#!/usr/bin/env bash
# beside DATA COMMAND…
set -euo pipefail
root=$(cd "$(dirname "$0")" && pwd)/root
mkdir -p "$1/local/tmp"
[ "$(id -u)" = 0 ] && rights=() || rights=(--user --map-root-user)
exec unshare "${rights[@]}" --mount --net --pid --fork --kill-child bash -euc '
    root=$1 data=$2
    shift 2
    mount -t proc proc /proc
    for folder in /dev /proc /sys; do mount --rbind "$folder" "$root$folder"; done
    mount --bind "$data" "$root/data"
    chroot "$root" /usr/bin/toybox ifconfig lo up
    chroot "$root" /usr/bin/env -i PATH=/usr/bin HOME=/tmp /usr/lib/android-sdk/platform-tools/adbd 2>"$data/adbd.log" &
    "$@"
' beside "$root" "$@"
SH
chmod +x "$part/adb" "$part/beside"
mv "$part" "$place"
"$place/adb" version >/dev/null || fail "does not start"
touch "$place/installed"
