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

. "$(dirname "$0")/lib/debian.sh"

part=$place.part root=$place.part/root
rm -rf "$place" "$part"
mkdir -p "$root"

debian_lists "$part" trixie || fail "Debian's package lists cannot be had"
wanted=$(debian_needs swiftlang libc6-dev libstdc++-14-dev git bash coreutils) || fail "Debian's packages do not fit together"
# Of git only the program is run. The headers' own dependencies are the runtime as Debian builds it, which is not used.
wanted=$(grep -vE '^(perl.*|libperl.*|git-man|liberror-perl|debconf|libdb5.*|libgdbm.*|gcc-1.*|cpp.*)$' <<<"$wanted")
# Without the debugger, editors' servers, static libraries, other processors and documentation: a third of the size.
unused=(--exclude=./usr/{share/{doc,man,locale,perl},libexec/swift/bin/{'lldb*',clangd,sourcekit-lsp,docc,swift-format}}
    --exclude=./usr/libexec/swift/lib/{'liblldb*','libsourcekitd*','libLTO*',swift_static,swift/embedded,swift/FrameworkABIBaseline})
debian_unpack "$part" "$root" "${unused[@]}" <<<"$wanted libonnxruntime-dev" || fail "Debian's packages cannot be had"
mkdir -p "$root"/{dev,proc,tmp}
# Plugins run /bin/sh, and it awk. (Packages that are only unpacked make no alternatives.)
[ -e "$root/usr/bin/sh" ] || ln -s bash "$root/usr/bin/sh"
[ -e "$root/usr/bin/awk" ] || ln -s mawk "$root/usr/bin/awk"

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
