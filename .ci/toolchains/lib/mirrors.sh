# shellcheck shell=bash
# Sourced by scripts that download: addresses are the machine's own, so that whoever has mirrors need not change a script.

# debian_mirror: where apt takes Debian from.
debian_mirror() {
    apt-get indextargets --format '$(SITE)' | awk '/\/debian\/?$/ && !found++'
}

# maven_central: $MAVEN_CENTRAL, or what the installed Maven itself asks when nothing else is said.
maven_central() {
    [ -z "${MAVEN_CENTRAL:-}" ] || { echo "$MAVEN_CENTRAL"; return; }
    local home
    home=$(dirname "$(dirname "$(readlink -f "$(command -v mvn)")")") || return
    unzip -p "$home"/lib/maven-model-builder-*.jar org/apache/maven/model/pom-4.0.0.xml |
        awk -F'[<>]' '$2 == "url" && !found++ {print $3}'
}
