#!/bin/sh
# Puts the model files of one target into an app's build. `mobile-export xcode --write` wrote this file and
# overwrites it; settings belong into the build phase or the build settings.
#
#     mobile-export.sh locked TARGET LOCK [STAGING OUTPUT...]
#     mobile-export.sh build TARGET FILE.toml
#
# locked: verifies what mobile-export.lock lists, copied from its folders or fetched from its URLs. Needs a shell,
#         shasum or sha256sum, and curl where there are URLs; no Python.
# build:  converts, with the program that the build setting MOBILE_EXPORT names, from copies of the declared inputs.
#
# Only declared outputs are written: those given, else those of the Xcode build phase that runs this. All of them are
# made and verified in STAGING (else TARGET_TEMP_DIR) first, so that a failure replaces none.

set -eu
LC_ALL=C
CARRIAGE_RETURN=$(printf '\r')

mode=$1 target=$2 source=$3
shift 3
folder=$(cd "$(dirname "$source")" 2>/dev/null && pwd) && source=$folder/${source##*/}

# fail PLACE MESSAGE: as Xcode shows it, PLACE being path:line.
fail() {
    printf '%s: error: %s\n' "$1" "$2" >&2
    exit 1
}

# declared INPUT|OUTPUT: those of the Xcode build phase, one absolute path a line.
declared() {
    eval "count=\${SCRIPT_$1_FILE_COUNT:-0} lists=\${SCRIPT_$1_FILE_LIST_COUNT:-0}"
    while [ "$count" -gt 0 ]; do
        count=$((count - 1))
        eval "printf '%s\n' \"\$SCRIPT_$1_FILE_$count\""
    done
    while [ "$lists" -gt 0 ]; do
        lists=$((lists - 1))
        eval "cat \"\$SCRIPT_$1_FILE_LIST_$lists\""
        echo
    done
}

# From the lock to $staging/from, where files come from, and $staging/files, lines of: line sha256 bytes path.
read_lock() {
    [ -r "$source" ] || fail "$source:1" "the lock cannot be read; declare it as input of this phase"
    line_number=0 header='' current=''
    while IFS= read -r line || [ -n "$line" ]; do
        line_number=$((line_number + 1))
        line=${line%"$CARRIAGE_RETURN"}
        case $line in '' | '#'*) continue ;; esac
        if [ -z "$header" ]; then
            header=$line
            [ "$header" = 'mobile-export-lock 1' ] || fail "$source:$line_number" \
                "not a lock that this script reads; run mobile-export xcode --write with the version that locked"
            continue
        fi
        rest=${line#* }
        case $line in
        'target '*) current=$rest ;;
        'from '*) [ "$current" != "$target" ] || printf '%s\n' "$rest" >>"$staging/from" ;;
        'file '*) [ "$current" != "$target" ] || plan_locked "$rest" ;;
        *) fail "$source:$line_number" "a line is 'target', 'from' or 'file'" ;;
        esac
    done <"$source"
    [ -s "$staging/files" ] || fail "$source:1" "target $target is not locked here; run mobile-export lock with it"
}

# plan_locked 'SHA256 BYTES PATH': one checked line of the lock.
plan_locked() {
    case $1 in *' '*' '?*) ;; *) fail "$source:$line_number" "a file has a sha256, a size and a path" ;; esac
    sha256=${1%% *} bytes=${1#* }
    path=${bytes#* } bytes=${bytes%% *}
    case $sha256 in *[!0-9a-f]*) sha256='' ;; esac
    [ "${#sha256}" -eq 64 ] || fail "$source:$line_number" "the sha256 is not 64 hexadecimal digits"
    case $bytes in '' | *[!0-9]* | ?????????????????*) fail "$source:$line_number" "the size is not a number" ;; esac
    case $path in
    '' | /* | *..* | *[!A-Za-z0-9_./-]*) fail "$source:$line_number" "a path may not lead out of its folder" ;;
    esac
    printf '%s %s %s %s\n' "$line_number" "$sha256" "$bytes" "$path" >>"$staging/files"
}

# From what a build just published to $staging/from and $staging/files.
read_published() {
    published=$staging/out/$target
    [ -d "$published" ] || fail "$source:1" "the file builds no target of the name $target; write the phase again"
    if [ "$gate" = closed ] && grep -q '"gate": "warn"' "$published/manifest.json"; then
        fail "$source:1" "what is published missed its limits; build it again without MOBILE_EXPORT_GATE=warn"
    fi
    printf '%s\n' "$published" >"$staging/from"
    (cd "$published" && find . -type f -path './*/*') | while IFS= read -r path; do
        printf '1 - - %s\n' "${path#./}"
    done >"$staging/files"
}

# From $staging/files and the declared outputs to $staging/placed: line sha256 bytes path output.
# All files of a kind (assets, swift, test_assets) of which one is declared have to be.
match_outputs() {
    kinds=' '
    while read -r line_number sha256 bytes path; do
        find_output "$path"
        [ -z "$output" ] || kinds="$kinds${path%%/*} "
        printf '%s %s %s %s %s\n' "$line_number" "$sha256" "$bytes" "$path" "${output:--}" >>"$staging/matched"
    done <"$staging/files"
    while read -r line_number sha256 bytes path output; do
        if [ "$output" != - ]; then
            printf '%s %s %s %s %s\n' "$line_number" "$sha256" "$bytes" "$path" "$output" >>"$staging/placed"
            printf '%s\n' "$output" >>"$staging/served"
            continue
        fi
        case $kinds in
        *" ${path%%/*} "*)
            fail "$source:$line_number" "$path is no output of this build phase; run mobile-export xcode --write again" ;;
        esac
    done <"$staging/matched"
    while IFS= read -r output; do
        holds "$staging/served" "$output" || fail "$source:1" \
            "target $target has no file for the output $output; run mobile-export xcode --write again"
    done <"$staging/outputs"
}

# holds FILE LINE
holds() {
    while IFS= read -r held; do
        [ "$held" != "$2" ] || return 0
    done <"$1"
    return 1
}

# find_output PATH: the declared output that ends in the name which PATH has in an app.
find_output() {
    output=''
    case $1 in
    assets/models/*/* | test_assets/models/*/*) in_app=${1#*/*/*/} ;;
    swift/*) in_app=${1#*/} ;;
    *) return 0 ;;
    esac
    while IFS= read -r declared; do
        case $declared in
        */"$in_app")
            [ -z "$output" ] || fail "$source:$line_number" "$1 has two outputs, $output and $declared; declare one"
            output=$declared ;;
        esac
    done <"$staging/outputs"
}

# right FILE: whether it has $bytes and $sha256; else $reason says what is wrong.
right() {
    size=$(($(wc -c <"$1")))
    if [ "$size" -ne "$bytes" ]; then
        reason="$1 has $size bytes, and $bytes are locked"
        return 1
    fi
    found=$(if command -v shasum >/dev/null 2>&1; then shasum -a 256; else sha256sum; fi <"$1")
    reason="$1 has another sha256, ${found%% *}, than is locked"
    [ "${found%% *}" = "$sha256" ]
}

# stage FILE: make it from the first place that has the right bytes; else $reason says why none has.
# What has to come from a URL, and is in the app already, is not made; $kept then says so.
stage() {
    reasons='' kept=''
    while IFS= read -r from; do
        case $from in *'{sha256}'*) place=$from ;; *) place=${from%/}/$path ;; esac
        while :; do
            case $place in *'{sha256}'*) place=${place%%'{sha256}'*}$sha256${place#*'{sha256}'} ;; *) break ;; esac
        done
        case $place in
        *://*)
            if unchanged "$output"; then
                kept=yes
                return 0
            fi
            fetch "$place" "$1" && return 0 ;;
        /*) copy "$place" "$1" && return 0 ;;
        *) copy "$(dirname "$source")/$place" "$1" && return 0 ;;
        esac
        reasons="${reasons:+$reasons; }$reason"
    done <"$staging/from"
    reason=${reasons:-"the lock names no folder or URL to take it from"}
    return 1
}

# copy PLACE FILE
copy() {
    if ! [ -r "$1" ]; then
        reason="$1 cannot be read"
        return 1
    fi
    cat "$1" >"$2"
    if [ "$sha256" = - ] || right "$2"; then return 0; fi
    reason="$1${reason#"$2"}"
    return 1
}

# fetch URL FILE: goes on where an earlier try ended, of this build or of one before.
fetch() {
    part=$staging/$sha256.part
    for attempt in 1 2 3; do
        [ -e "$part" ] || : >"$part"
        begun=$(($(wc -c <"$part")))
        if [ "$begun" -lt "$bytes" ]; then
            [ "$attempt" -eq 1 ] || sleep 1
            status=0
            curl --fail --location --globoff --netrc-optional --silent --show-error --proto '=http,https,file' \
                --connect-timeout 20 --speed-limit 1 --speed-time 30 --max-filesize "$bytes" --continue-at - \
                --output "$part" --url "$1" 2>"$staging/curl.log" || status=$?
            if [ "$status" -ne 0 ]; then
                reason="$1 cannot be fetched: $(tail -n 1 "$staging/curl.log")"
                case $status,$reason in
                33,*) rm -f "$part" ;;                  # the server cannot go on in the middle
                63,* | *' 40'[0-9]*) return 1 ;;        # too large; not there
                esac
                continue
            fi
        fi
        if right "$part"; then
            mv -f "$part" "$2"
            return 0
        fi
        reason="$1${reason#"$part"}"
        rm -f "$part"
        [ "$begun" -gt 0 ] || return 1
    done
    return 1
}

# unchanged OUTPUT: whether it already is what it should be.
unchanged() {
    [ -f "$1" ] && [ ! -L "$1" ] || return 1
    if [ "$sha256" = - ]; then cmp -s "$published/$path" "$1"; else right "$1"; fi
}

# Make everything that is not there yet, verified, then put it in place.
place_all() {
    count=0
    while read -r line_number sha256 bytes path output; do
        if [ -d "$output" ]; then fail "$source:$line_number" "$output is a folder; remove it"; fi
        count=$((count + 1))
        stage "$staging/$count.staged" || fail "$source:$line_number" "$path: $reason"
        if [ -n "$kept" ] || unchanged "$output"; then continue; fi
        printf '%s %s %s\n' "$count" "$line_number" "$output" >>"$staging/ready"
    done <"$staging/placed"
    while read -r count line_number output; do
        [ -d "$(dirname "$output")" ] || mkdir -p "$(dirname "$output")"
        mv -f "$staging/$count.staged" "$output" || fail "$source:$line_number" "$output cannot be replaced"
    done <"$staging/ready"
}

# Debug builds may take what missed a limit; nothing that could reach a user may.
checked_gate() {
    gate=${MOBILE_EXPORT_GATE:-closed}
    [ "$gate" = closed ] && return
    [ "$gate" = warn ] || fail "$source:1" "MOBILE_EXPORT_GATE is $gate; it may be closed or warn"
    case ${ACTION:-build},${CONFIGURATION:-Release} in
    install,* | *,*[Rr]elease*) ;;
    *,*[Dd]ebug*) return ;;
    esac
    fail "$source:1" "MOBILE_EXPORT_GATE is warn in the configuration ${CONFIGURATION:-Release}; only Debug may have it"
}

# copy_inputs FOLDER: every declared input, at its own path below. What is not declared is not there, where Xcode's
# sandbox would not even say so: looking for a file that a form of models might have is then no error.
copy_inputs() {
    rm -rf "$1"
    mkdir -p "$1"
    declared INPUT | while IFS= read -r input; do
        case $input in /*) printf '%s\n' "${input#/}" ;; esac
    done >"$staging/declared"
    COPYFILE_DISABLE=1 tar -C / -chf "$staging/inputs.tar" -T "$staging/declared" ||
        fail "$source:1" "not every input of this phase is there; run mobile-export xcode --write again"
    tar -C "$1" -xof "$staging/inputs.tar"
    rm -f "$staging/inputs.tar"
    [ -r "$1$source" ] || fail "$source:1" "the target file cannot be read; declare it as input of this phase"
}

# From what the program says to what Xcode shows: errors and warnings stand at the target file, where the target or the
# artifact that they begin with has its name; copies of inputs go by the names of these.
for_xcode() {
    FILE=$source COPIES=$copies awk '
        BEGIN {
            file = ENVIRON["FILE"]; copies = ENVIRON["COPIES"]
            for (number = 1; (getline line < file) > 0; number++)
                if (split(line, part, "\"") > 1 && part[1] ~ /^[ \t]*name[ \t]*=[ \t]*$/ && !(part[2] in found))
                    found[part[2]] = number
        }
        /^(error|warning): / {
            place = 1
            for (word = 2; word <= 3; word++) {
                name = $word
                sub(/:$/, "", name)
                if (name in found) place = found[name]
            }
            $0 = file ":" place ": " $0
        }
        { while (at = index($0, copies)) $0 = substr($0, 1, at - 1) substr($0, at + length(copies)) }
        { print; fflush() }'
}

build() {
    case ${MOBILE_EXPORT:-} in
    /*) ;;
    *) fail "$source:1" "the build setting MOBILE_EXPORT has to be the absolute path of the program mobile-export" ;;
    esac
    [ -x "$MOBILE_EXPORT" ] || fail "$source:1" "$MOBILE_EXPORT, the build setting MOBILE_EXPORT, is no program"
    copies=$staging/inputs
    copy_inputs "$copies"
    echo 70 >"$staging/status"
    {
        status=0
        "$MOBILE_EXPORT" build "$copies$source" --out "$staging/out" --gate "$gate" || status=$?
        echo "$status" >"$staging/status"
    } 2>&1 | for_xcode >&2
    status=$(cat "$staging/status")
    [ "$status" -eq 0 ] || exit "$status"
}

case $mode in locked | build) ;; *) fail "$source:1" "the mode is $mode; it may be locked or build" ;; esac
if [ $# -gt 0 ]; then
    staging=$1
    shift
else
    staging=${TARGET_TEMP_DIR:?}/mobile-export-$target
fi
mkdir -p "$staging"
for file in from files matched placed served ready outputs; do : >"$staging/$file"; done
if [ $# -gt 0 ]; then printf '%s\n' "$@"; else declared OUTPUT; fi | while IFS= read -r output; do
    case $output in /*) printf '%s\n' "$output" ;; esac
done >"$staging/outputs"
[ -s "$staging/outputs" ] || fail "$source:1" "this build phase declares no outputs; run mobile-export xcode --write"

checked_gate
if [ "$mode" = build ]; then
    build
    read_published
else
    read_lock
fi
match_outputs
place_all
