#!/usr/bin/env bash
# Chromium and its WebDriver, from Debian's packages, in a root of their own:
#     FOLDER/chromium/chromium, chromedriver     start them, with their libraries and fonts
# Needs apt and no rights.
set -euo pipefail
mkdir -p "${1:?usage: chromium.sh FOLDER}"
place=$(cd "$1" && pwd)/chromium
[ -e "$place/installed" ] && exit
fail() { echo "chromium: $1" >&2; exit 1; }
for tool in apt-get dpkg-deb tar; do command -v "$tool" >/dev/null || fail "needs $tool"; done

. "$(dirname "$0")/lib/debian.sh"

part=$place.part root=$place.part/root
rm -rf "$place" "$part"
mkdir -p "$root"
debian_lists "$part" bookworm || fail "Debian's package lists cannot be had"
wanted=$(debian_needs chromium chromium-driver fonts-dejavu-core) || fail "Debian's packages do not fit together"
# The C library has to be the machine's own, and what starts a system or a desktop is not used.
grep -E '^(chromium|lib|fonts-dejavu)' <<<"$wanted" | grep -Ev '^lib(c6|c-bin|gcc-s1|crypt1|pam|systemd-shared)' |
    debian_unpack "$part" "$root" --exclude=./usr/share/{doc,man,locale} || fail "Debian's packages cannot be had"

cat >"$part/fonts.conf" <<XML
<?xml version="1.0"?>
<fontconfig><dir>$place/root/usr/share/fonts</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>
XML
libraries=$place/root/usr/lib/$(uname -m)-linux-gnu
for program in lib/chromium/chromium bin/chromedriver; do
    cat >"$part/${program##*/}" <<SH
#!/bin/sh
export FONTCONFIG_FILE='$place/fonts.conf'
LD_LIBRARY_PATH='$libraries:$libraries/nss:$libraries/pulseaudio:$place/root/lib/$(uname -m)-linux-gnu' \\
    exec '$place/root/usr/$program' "\$@"
SH
    chmod +x "$part/${program##*/}"
done
touch "$part/installed"
mv "$part" "$place"
