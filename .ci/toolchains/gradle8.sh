#!/usr/bin/env bash
# Gradle 8.8, put together from what Maven Central has of it: FOLDER/gradle8/gradle starts it.
# Gradle's own distributions are in no package registry. dev.gradleplugins republishes, in one jar, the classes and modules
# that plugins are compiled against; up to 8.8 those include the launcher. A distribution is that jar under the name of one
# module, and beside it, for every other module, a jar that only says what it depends on. It has no compiler for scripts in
# Kotlin, and instruments scripts without its agent. Needs FOLDER/gradle, for its JDK, or a JDK 17.
set -euo pipefail
mkdir -p "${1:?usage: gradle8.sh FOLDER}"
folder=$(cd "$1" && pwd)
place=$folder/gradle8
[ -e "$place/installed" ] && exit
fail() { echo "gradle8: $1" >&2; exit 1; }
for tool in curl sha256sum python3 unzip; do command -v "$tool" >/dev/null || fail "needs $tool"; done

. "${BASH_SOURCE[0]%/*}/lib/mirrors.sh"
central=$(maven_central) || fail "needs Maven, or \$MAVEN_CENTRAL, for the address of Maven Central"

part=$place.part
rm -rf "$part"
mkdir -p "$part"/lib/{plugins,agents}
fetch() { # sha256, path in Maven Central, file
    curl -sfL --retry 3 -o "$3" "$central/$2" || fail "Maven Central cannot be reached"
    echo "$1  $3" | sha256sum --check --quiet || fail "${2##*/} is not what it was"
}
version=8.8 groovy=3.0.21 kotlin=1.9.22
fetch d2720b0feb36272c7d311003a14d77ec108603c38c301329791f6ceedb6396f5 \
    dev/gradleplugins/gradle-api/$version/gradle-api-$version.jar "$part/whole.jar"
fetch 5cf3730c0c2c15c293f7750dd7114ed27a671fc940165bbae0378a281f5b2d5e \
    org/codehaus/groovy/groovy/$groovy/groovy-$groovy.jar "$part/lib/groovy-$groovy.jar"
fetch 23fa0e2759e220319f4391e35e5c57858556cb256fe97ef855958744da2d84ac \
    org/codehaus/groovy/groovy-ant/$groovy/groovy-ant-$groovy.jar "$part/lib/groovy-ant-$groovy.jar"
fetch ad167ddb0c11effee413c7f9e53721da78db1eaaf8e4616380b1024eb20a12a3 \
    org/codehaus/groovy/groovy-json/$groovy/groovy-json-$groovy.jar "$part/lib/groovy-json-$groovy.jar"
fetch 6abe146c27864138b874ccccfe5f534e3eb923c99a1b7b5d45494ee5694f3e0a \
    org/jetbrains/kotlin/kotlin-stdlib/$kotlin/kotlin-stdlib-$kotlin.jar "$part/lib/kotlin-stdlib-$kotlin.jar"

python3 - "$part" $version $groovy $kotlin <<'PYTHON'
import sys, zipfile
from pathlib import Path

part, (version, groovy, kotlin) = Path(sys.argv[1]), sys.argv[2:]
lib = part / "lib"
suffix = "-classpath.properties"
# Modules of the distribution that are not in the jar, and are asked for.
missing = ["java-compiler-plugin", "kotlin-dsl", "kotlin-dsl-provider-plugins", "kotlin-dsl-tooling-builders", "test-kit"]
depends = {f"gradle-{name}": f"projects=gradle-core\nruntime=groovy-{groovy}.jar,groovy-json-{groovy}.jar,"
           f"kotlin-stdlib-{kotlin}.jar\n" for name in missing}
depends["gradle-instrumentation-agent"] = "projects=\nruntime=\n"

with zipfile.ZipFile(part / "whole.jar") as whole, zipfile.ZipFile(lib / f"gradle-base-services-{version}.jar", "w") as out:
    taken = set()
    for entry in whole.infolist():
        # Services of the JDK itself would be loaded by it before there is a Gradle.
        if entry.filename in taken or entry.filename.startswith("META-INF/services/java"):
            continue
        taken.add(entry.filename)
        data = whole.read(entry)
        out.writestr(entry.filename, data)
        if entry.filename.startswith("gradle-") and entry.filename.endswith(suffix):
            depends[entry.filename.removesuffix(suffix)] = data.decode()

# A manifest names the jars that have the classes, for the daemon is started with a module alone.
jars = [f"gradle-base-services-{version}.jar", f"gradle-installation-beacon-{version}.jar"]
manifest = {"META-INF/MANIFEST.MF": f"Manifest-Version: 1.0\nClass-Path: {' '.join(jars)}\n"}

def jar(name, files):
    if not (lib / name).exists():
        with zipfile.ZipFile(lib / name, "w") as out:
            for file, text in files.items():
                out.writestr(file, text)

for module, text in depends.items():
    jar(f"{module}-{version}.jar", {**(manifest if module == "gradle-launcher" else {}), module + suffix: text})
    for line in text.splitlines():
        for name in filter(None, line.partition("runtime=")[2].split(",")):
            jar(name, {"META-INF/MANIFEST.MF": "Manifest-Version: 1.0\n"})
jar("ant-1.10.jar", {"META-INF/MANIFEST.MF": "Manifest-Version: 1.0\n"})
PYTHON
rm "$part/whole.jar"

java=$(echo "$folder"/gradle/root/usr/lib/jvm/java-17-openjdk-*)
[ -x "$java/bin/java" ] || java=$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")
[ -x "$java/bin/javac" ] || fail "needs a JDK 17: run gradle.sh before, or install one"
# Where this class lies is where Gradle takes its distribution to be.
mkdir "$part/beacon"
echo 'package org.gradle.internal.installation.beacon; public class InstallationBeacon {}' >"$part/beacon/InstallationBeacon.java"
"$java/bin/javac" -d "$part/beacon" "$part/beacon/InstallationBeacon.java"
"$java/bin/jar" --create --file "$part/lib/gradle-installation-beacon-$version.jar" -C "$part/beacon" org
rm -r "$part/beacon"

cat >"$part/gradle" <<SH
#!/bin/sh
export JAVA_HOME='$java'
exec "\$JAVA_HOME/bin/java" -cp '$place/lib/gradle-launcher-$version.jar' org.gradle.launcher.GradleMain \\
    -Dorg.gradle.internal.instrumentation.agent=false "\$@"
SH
chmod +x "$part/gradle"
touch "$part/installed"
rm -rf "$place"
mv "$part" "$place"
