# shellcheck shell=bash
# Sourced by scripts that take packages from Debian without installing them. Needs apt-get, dpkg-deb and tar, and no rights.
. "${BASH_SOURCE[0]%/*}/mirrors.sh"

# debian_lists FOLDER SUITE…
# From here on, apt knows these suites alone, and keeps what it has in FOLDER/apt; apt-get fails where it cannot be reached.
# Packages are resolved as if nothing were installed, the first suite before the others.
debian_lists() {
    local apt=$1/apt suite mirror
    shift
    mirror=$(debian_mirror)
    mkdir -p "$apt"/{state/lists/partial,cache/archives/partial,debs}
    touch "$apt/status"
    for suite; do
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
    done >"$apt/sources.list"
    cat >"$apt/apt.conf" <<CONF
Dir::State "$apt/state";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "-";
Debug::NoLocking "1";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Install-Recommends "0";
APT::Default-Release "$1";
APT::Sandbox::User "";
CONF
    export APT_CONFIG=$apt/apt.conf
    apt-get -qq update
}

# debian_needs PACKAGE…: the names of these packages and of all that they need, one a line.
debian_needs() {
    apt-get -s install "$@" | awk '/^Inst/ {print $2}'
}

# debian_unpack FOLDER ROOT OPTION…: the packages named on standard input, unpacked into ROOT by tar with these options.
debian_unpack() {
    local apt=$1/apt root=$2
    shift 2
    (cd "$apt/debs" && xargs apt-get -qq download) || return
    find "$apt/debs" -name '*.deb' -print0 | xargs -0 -P "$(nproc)" -I{} bash -o pipefail -c \
        'package=$1; shift; dpkg-deb --fsys-tarfile "$package" | tar -x --no-same-owner "$@"' - {} -C "$root" "$@" || return
    rm -rf "$apt"
}
