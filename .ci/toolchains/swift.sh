#!/usr/bin/env bash
# Swift 6 and ONNX Runtime's C headers, from Debian 13's packages, in a root of their own:
#     FOLDER/swift/run DIR[:DIR…] COMMAND…    runs a command there, in the first DIR; each is seen under its own path
#     FOLDER/swift/root                       what the packages hold, but for what a build never opens
# Needs apt, and root or user namespaces to run in.
set -euo pipefail
mkdir -p "${1:?usage: swift.sh FOLDER}"
place=$(cd "$1" && pwd)/swift
[ -e "$place/installed" ] && exit
fail() { echo "swift: $1" >&2; exit 1; }
for tool in apt-get dpkg-deb tar chroot unshare; do command -v "$tool" >/dev/null || fail "needs $tool"; done
[ "$(dpkg --print-architecture)" = amd64 ] || fail "is taken for amd64 alone"

part=$place.part
rm -rf "$place" "$part"
mkdir -p "$part"/apt/{state/lists/partial,cache/archives/partial,debs} "$part/root"
root=$part/root

# Packages are resolved as if nothing were installed.
touch "$part/apt/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main" \
    >"$part/apt/sources.list"
cat >"$part/apt/apt.conf" <<CONF
Dir::State "$part/apt/state";
Dir::State::status "$part/apt/status";
Dir::Cache "$part/apt/cache";
Dir::Etc::sourcelist "$part/apt/sources.list";
Dir::Etc::sourceparts "-";
Debug::NoLocking "1";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Install-Recommends "0";
APT::Sandbox::User "";
CONF
export APT_CONFIG=$part/apt/apt.conf
apt-get -qq update || fail "Debian's package lists cannot be had"
wanted=$(apt-get -s install swiftlang libc6-dev libstdc++-14-dev git bash coreutils |
    awk '/^Inst/ {print $2}') || fail "Debian's packages do not fit together"
# Of git only the program is run. The headers' own dependencies are the runtime as Debian builds it, which is not used.
needed=$(printf '%s\n' $wanted | grep -vE '^(perl.*|libperl.*|git-man|liberror-perl|debconf|libdb5.*|libgdbm.*|gcc-1.*|cpp.*)$')
(cd "$part/apt/debs" && apt-get -qq download $needed libonnxruntime-dev) || fail "Debian's packages cannot be had"

# Without the debugger, editors' servers, static libraries, other processors and documentation: a third of the size.
unused=()
for path in share/doc share/man share/locale share/perl 'libexec/swift/bin/lldb*' 'libexec/swift/bin/clangd' \
    'libexec/swift/bin/sourcekit-lsp' 'libexec/swift/bin/docc' 'libexec/swift/bin/swift-format' \
    'libexec/swift/lib/liblldb*' 'libexec/swift/lib/libsourcekitd*' 'libexec/swift/lib/libLTO*' \
    'libexec/swift/lib/swift_static' 'libexec/swift/lib/swift/embedded' 'libexec/swift/lib/swift/FrameworkABIBaseline'; do
    unused+=("--exclude=./usr/$path")
done
for package in "$part"/apt/debs/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --no-same-owner "${unused[@]}" || fail "$package cannot be unpacked"
done
rm -rf "$part/apt"
mkdir -p "$root"/{dev,proc,tmp}
[ -e "$root/usr/bin/sh" ] || ln -s bash "$root/usr/bin/sh"  # plugins run /bin/sh

cat >"$part/run" <<'RUN'
#!/usr/bin/env bash
# run DIR[:DIR…] COMMAND…
set -euo pipefail
export SWIFT_ROOT
SWIFT_ROOT=$(cd "$(dirname "$0")" && pwd)/root
[ "$(id -u)" = 0 ] && rights=() || rights=(--user --map-root-user)
exec unshare "${rights[@]}" --mount --fork --kill-child bash -euc '
    IFS=: read -ra folders <<<"$1"; shift
    for folder in /dev /proc "${folders[@]}"; do
        mkdir -p "$SWIFT_ROOT$folder"
        mount --rbind "$folder" "$SWIFT_ROOT$folder"
    done
    exec chroot "$SWIFT_ROOT" /usr/bin/env HOME=/tmp PATH=/usr/libexec/swift/bin:/usr/bin bash -ec "cd \"\$0\" && exec \"\$@\"" "${folders[0]}" "$@"
' run "$@"
RUN
chmod +x "$part/run"
mv "$part" "$place"
"$place/run" /tmp swift --version >/dev/null || fail "does not start in its own root"
touch "$place/installed"
