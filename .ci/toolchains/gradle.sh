#!/usr/bin/env bash
# Gradle 4.4.1 and the Android plugin 2.2.2 with an SDK folder, from Debian's packages, in a root of their own:
#     FOLDER/gradle/gradle     starts it, with its JDK and its SDK
#     FOLDER/gradle/sdk        platforms/android-23, build-tools/29.0.3
#     FOLDER/gradle/root       what the packages hold
# Needs apt and no rights. Newer Android plugins are in no package registry that everybody reaches.
set -euo pipefail
mkdir -p "${1:?usage: gradle.sh FOLDER}"
place=$(cd "$1" && pwd)/gradle
[ -e "$place/installed" ] && exit
fail() { echo "gradle: $1" >&2; exit 1; }
for tool in apt-get dpkg-deb tar python3; do command -v "$tool" >/dev/null || fail "needs $tool"; done

. "$(dirname "$0")/lib/debian.sh"

part=$place.part root=$place.part/root
rm -rf "$place" "$part"
mkdir -p "$root" "$part"/sdk/{platforms,build-tools}

# dx and android.jar are in Debian 11 alone.
debian_lists "$part" bookworm bullseye || fail "Debian's package lists cannot be had"
wanted=$(debian_needs gradle libgradle-android-plugin-java libjaxb-java openjdk-17-jdk-headless aapt aidl zipalign \
    apksigner dalvik-exchange android-sdk-platform-23 android-sdk-build-tools-common) || fail "Debian's packages do not fit together"
# What is left out, C libraries and a desktop, is there already or not used.
needed='-(java|jni)$|^(android|openjdk|gradle|groovy|aapt|aidl|zipalign|apksigner|dalvik|ant|bnd|ivy|junit4|testng)'
grep -E -- "$needed|^(p7zip-full|libprotobuf-lite|libzopfli|libexpat|libpng)" <<<"$wanted" |
    debian_unpack "$part" "$root" --exclude=./usr/share/{doc,man} || fail "Debian's packages cannot be had"

# Links to /etc and the like point into the root.
find "$root" -type l -lname '/*' | while read -r link; do
    ln -sfn "$(realpath -ms --relative-to="$(dirname "$link")" "$root$(readlink "$link")")" "$link"
done

# Debian's Gradle looks for itself in /usr/share: two constants of two classes.
python3 - "$root" "$place/root" <<'PYTHON'
import sys, zipfile
from pathlib import Path

def constant(text):
    return b"\x01" + len(text).to_bytes(2, "big") + text.encode()

root, final = sys.argv[1:]
jar = Path(root, "usr/share/gradle/lib/gradle-core-api-4.4.1.jar").resolve()
moved = jar.with_suffix(".moved")
with zipfile.ZipFile(jar) as old, zipfile.ZipFile(moved, "w", zipfile.ZIP_DEFLATED) as new:
    for entry in old.infolist():
        data = old.read(entry)
        if entry.filename.startswith("org/gradle/internal/installation/"):
            for path in ("/usr/share/java", "/usr/share/gradle"):
                data = data.replace(constant(path), constant(final + path))
        new.writestr(entry, data)
moved.replace(jar)
PYTHON

ln -s ../../root/usr/lib/android-sdk/platforms/android-23 "$part/sdk/platforms/android-23"
tools=$part/sdk/build-tools/29.0.3
cp -rL "$root/usr/lib/android-sdk/build-tools/debian" "$tools"
libraries=$place/root/usr/lib
for tool in aapt aidl zipalign; do
    mv "$tools/$tool" "$tools/$tool.elf"
    cat >"$tools/$tool" <<SH
#!/bin/sh
LD_LIBRARY_PATH='$libraries/$(uname -m)-linux-gnu/android:$libraries/$(uname -m)-linux-gnu:$libraries:$libraries/p7zip' \\
    exec "\$0.elf" "\$@"
SH
    chmod +x "$tools/$tool"
done

cat >"$part/gradle" <<SH
#!/bin/sh
export JAVA_HOME='$libraries/jvm/$(basename "$root"/usr/lib/jvm/java-17-openjdk-*)' ANDROID_HOME='$place/sdk'
exec '$place/root/usr/share/gradle/bin/gradle' "\$@"
SH
chmod +x "$part/gradle"
touch "$part/installed"
mv "$part" "$place"
