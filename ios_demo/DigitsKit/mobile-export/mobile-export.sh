#!/bin/sh
# Puts the model files of one target into an app's build. `mobile-export xcode --write` wrote this file and
# overwrites it; settings belong into the build phase or the build settings.
#
#     mobile-export.sh locked TARGET LOCK [STAGING OUTPUT...]
#     mobile-export.sh build TARGET FILE.toml
#
# locked: verifies what mobile-export.lock lists, copied from its folders or fetched from its URLs. Needs a shell with
#         awk, shasum or sha256sum, and curl where there are URLs; no Python.
# build:  converts, with the program that the build setting MOBILE_EXPORT names, from copies of the declared inputs.
#
# Only declared outputs are written: those given, else those of the Xcode build phase that runs this. All of them are
# made and verified in STAGING (else TARGET_TEMP_DIR) first, so that a failure replaces none.

set -eu

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
# The whole lock is checked, other targets included: what is wrong there has come from a bad merge, or from somebody else.
read_lock() {
    [ -r "$source" ] || fail "$source:1" "the lock cannot be read; declare it as input of this phase"
    tr '\000' '\001' <"$source" | LC_ALL=C TARGET=$target FROM=$staging/from FILES=$staging/files awk '
        function refuse(number, problem) {
            if (!refused) print number " " problem
            refused = 1
            exit
        }
        function end_target() {
            if (name != "" && !files) refuse(begun, "target " name " has no file; lock again")
        }
        function check_name() {
            if (rest !~ /^[a-z0-9][a-z0-9_]*$/ || rest ~ DEVICE)
                refuse(NR, "a target has a name of lower-case letters, digits and underscores, and no device of Windows")
            if (rest in targets) refuse(NR, "target " rest " stands here twice; lock it again")
        }
        function check_source(host, hashless) {
            if (rest ~ "^ | $|^$|^//|[[:cntrl:]]" || index(rest, "\\"))
                refuse(NR, "a from is a URL, or a folder of this computer with forward slashes")
            hashless = rest
            gsub(/[{]sha256[}]/, "", hashless)
            if (hashless ~ /[{}]/) refuse(NR, "a from has a placeholder that locks do not know; they know {sha256}")
            if (!index(rest, "://")) return
            host = rest
            sub("^[^:]*://", "", host)
            sub("[/?#].*", "", host)
            if (index(host, "@")) refuse(NR, "a from holds a user name or password; put it into ~/.netrc")
            if (rest !~ HTTP && rest !~ "^file://(localhost)?/[^/?# ][^?# ]*$")
                refuse(NR, "a from is no URL of files; http, https and file can be read")
            if (rest ~ /[?#]/ && rest == hashless)
                refuse(NR, "a from goes on after the path, where file names are added; write {sha256} in it")
        }
        function check_file(path, at, folder) {
            if (split(rest, field, " ") != 3 || rest != field[1] " " field[2] " " field[3])
                refuse(NR, "a file is: file, sha256, bytes, path, with one space between them")
            if (length(field[1]) != 64 || field[1] ~ /[^0-9a-f]/)
                refuse(NR, "the sha256 is not 64 lower-case hexadecimal digits")
            if (field[2] !~ /^(0|[1-9][0-9]*)$/ || length(field[2]) > 16 || field[2] + 0 > 1099511627776)
                refuse(NR, "the size is not a number of bytes")
            path = "/" tolower(field[3])
            if (path ~ "[^a-z0-9_./-]" || path ~ "//|[.]/|[/.]$" || path ~ DEVICE_IN_PATH)
                refuse(NR, "the path is not plain and relative, of A-Z a-z 0-9 _ . / - and of no device of Windows")
            if (field[3] !~ "^(assets|kotlin|swift|test_assets)/")
                refuse(NR, "the path lies in none of assets/, kotlin/, swift/, test_assets/")
            # Disks of macOS and Windows take names that differ by case alone for the same.
            twice = (begun, path) in taken || (begun, path) in folders
            for (at = length(path); at > 1; at--)
                if (substr(path, at, 1) == "/") {
                    folder = substr(path, 1, at - 1)
                    folders[begun, folder] = 1
                    if ((begun, folder) in taken) twice = 1
                }
            if (twice) refuse(NR, field[3] " stands here twice, as a file or as its folder, for disks that ignore case")
            taken[begun, path] = 1
        }
        BEGIN {
            NAMES = "(con|prn|aux|nul|com[0-9]|lpt[0-9])"
            DEVICE = "^" NAMES "$"
            DEVICE_IN_PATH = "/" NAMES "([./]|$)"
            PORT = ":[0-9][0-9]?[0-9]?[0-9]?[0-9]?"
            HTTP = "^https?://([[][0-9A-Fa-f:.]+[]]|[^][/?#@: ]+)(" PORT ")?([/?#][^ ]*)?$"
        }
        { sub(/\r$/, "") }
        /^$|^#/ { next }
        header == "" {
            header = $0
            if (header != "mobile-export-lock 1") refuse(NR, "not a lock that this script reads; " \
                "run mobile-export xcode --write with the version that locked")
            next
        }
        {
            keyword = $0
            sub(/ .*/, "", keyword)
            rest = substr($0, length(keyword) + 2)
            if (keyword !~ /^(target|from|file)$/) refuse(NR, "a line is target, from or file; lock again")
            if (keyword != "target" && name == "") refuse(NR, "a target comes before the first " keyword)
        }
        keyword == "target" {
            end_target()
            check_name()
            name = rest; begun = NR; files = 0
            targets[name] = 1
        }
        keyword == "from" {
            if (files) refuse(NR, "from stands before the files of its target")
            check_source()
            if (name == ENVIRON["TARGET"]) print rest >ENVIRON["FROM"]
        }
        keyword == "file" {
            check_file()
            files++
            if (name == ENVIRON["TARGET"]) print NR " " rest >ENVIRON["FILES"]
        }
        END {
            if (header == "") refuse(1, "not a lock: it is empty")
            end_target()
        }' >"$staging/refused"
    refused=$(cat "$staging/refused")
    [ -z "$refused" ] || fail "$source:${refused%% *}" "${refused#* }"
    [ -s "$staging/files" ] || fail "$source:1" "target $target is not locked here; run mobile-export lock with it"
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
        case $from in
        *'{sha256}'*) place=$from ;;
        *)
            while [ "$from" != "${from%/}" ]; do from=${from%/}; done
            place=$from/$path ;;
        esac
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
    if ! [ -f "$1" ] || ! [ -r "$1" ]; then
        reason="$1 cannot be read"
        return 1
    fi
    cat "$1" >"$2"
    if [ "$sha256" = - ] || right "$2"; then return 0; fi
    reason="$1${reason#"$2"}"
    return 1
}

# fetch URL FILE: pieces may have been of two files, and come right at once.
fetch() {
    part=$staging/$sha256.part
    for round in 1 2; do
        download "$1" || return 1
        if right "$part"; then
            mv -f "$part" "$2"
            return 0
        fi
        reason="$1${reason#"$part"}"
        rm -f "$part"
        [ -n "$pieces" ] || return 1
    done
    return 1
}

# download URL: from where an earlier try ended, of this build or of one before; $pieces says whether there was one.
# As fetch of mobile-export does: five tries in a row that bring less than 1 MiB, after which the host is left alone.
download() {
    host=${1#*://} pieces='' failed=0 pause=1
    host=${1%%://*}://${host%%[/?#]*}
    case $dead in
    *" $host "*)
        reason="$1 was not asked for, since $host did not answer before"
        return 1 ;;
    esac
    [ -e "$part" ] || : >"$part"
    begun=$(($(wc -c <"$part")))
    reached=$begun
    while
        [ "$begun" -eq 0 ] || pieces=yes
        [ "$begun" -lt "$bytes" ]
    do
        ask "$1" && return 0
        [ -n "$passing" ] || return 1
        begun=$(($(wc -c <"$part")))
        failed=$((failed + 1))
        if [ $((begun - reached)) -ge 1048576 ]; then failed=1 pause=1; fi
        if [ "$failed" -eq 5 ]; then
            dead="$dead$host "
            return 1
        fi
        [ "$begun" -lt "$reached" ] || reached=$begun
        sleep "$pause"
        pause=$((pause * 2))
    done
}

# ask URL: one request for what is missing; else $reason says what is wrong, and $passing whether it may be over soon.
# The limit is for servers that do not say how much they send, which curl before 8.4 takes.
ask() {
    passing='' status=0
    code=$(
        trap '' XFSZ
        ulimit -f "$((bytes / 512 + 1))"
        exec curl --fail --location --globoff --netrc-optional --silent --show-error --proto '=http,https,file' \
            --connect-timeout 20 --speed-limit 1 --speed-time 30 --max-filesize "$bytes" --continue-at - \
            --write-out '%{http_code}' --output "$part" --url "$1" 2>"$staging/curl.log"
    ) || status=$?
    [ "$status" -ne 0 ] || return 0
    reason="$1 cannot be fetched: $(tail -n 1 "$staging/curl.log")"
    case $status,$code in
    33,* | *,416)                                       # the server cannot go on in the middle
        : >"$part"
        passing=yes ;;
    *,408 | *,425 | *,429 | *,50[0234]) passing=yes ;;
    *,[45]*) ;;                                         # what the server will say again
    [567],* | 18,* | 28,* | 52,* | 55,* | 56,* | 92,*)  # no connection, or one that broke
        passing=yes ;;
    esac
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

# What missed a limit may enter a build for debugging; nothing that could reach a user. Names of configurations are free
# text: it is a debug build if nothing is optimized, and it is not made to be installed, as archives are.
checked_gate() {
    gate=${MOBILE_EXPORT_GATE:-closed}
    [ "$gate" = closed ] && return
    [ "$gate" = warn ] || fail "$source:1" "MOBILE_EXPORT_GATE is $gate; it may be closed or warn"
    check_setting ACTION "${ACTION:-}" build
    check_setting DEPLOYMENT_POSTPROCESSING "${DEPLOYMENT_POSTPROCESSING:-}" NO
    check_setting GCC_OPTIMIZATION_LEVEL "${GCC_OPTIMIZATION_LEVEL:-}" 0
    check_setting SWIFT_OPTIMIZATION_LEVEL "${SWIFT_OPTIMIZATION_LEVEL:-}" -Onone
}

# check_setting NAME VALUE OF_A_DEBUG_BUILD
check_setting() {
    [ "$2" = "$3" ] || fail "$source:1" \
        "MOBILE_EXPORT_GATE is warn, which only debug builds may have: $1 is ${2:-not set}, and $3 in those"
}

# copy_inputs FOLDER: every declared input, at its own path below. What is not declared is not there, where Xcode's
# sandbox would not even say so: looking for a file that a form of models might have is then no error. Copies that are
# current stay, so that large models are copied once, and hashed once.
copy_inputs() {
    declared INPUT | while IFS= read -r input; do
        case $input in /*) printf '%s\n' "$input" ;; esac
    done | sort -u >"$staging/declared"
    stat_all "$staging/declared" | sort >"$staging/stat"
    [ "$(($(wc -l <"$staging/stat")))" -eq "$(($(wc -l <"$staging/declared")))" ] ||
        fail "$source:1" "not every input of this phase is there; run mobile-export xcode --write again"
    cmp -s "$staging/declared" "$staging/copied" || rm -rf "$1" "$staging/copied.stat"
    mkdir -p "$1"
    [ -e "$staging/copied.stat" ] || : >"$staging/copied.stat"
    comm -13 "$staging/copied.stat" "$staging/stat" | sed 's|^[^/]*|.|' >"$staging/changed"
    rm -f "$staging/copied.stat"
    if [ -s "$staging/changed" ]; then
        COPYFILE_DISABLE=1 tar -C / -chf "$staging/inputs.tar" -T "$staging/changed" && tar -C "$1" -xof "$staging/inputs.tar"
    fi || fail "$source:1" "an input of this phase cannot be copied"
    rm -f "$staging/inputs.tar"
    mv -f "$staging/declared" "$staging/copied"
    mv -f "$staging/stat" "$staging/copied.stat"
    [ -r "$1$source" ] || fail "$source:1" "the target file cannot be read; declare it as input of this phase"
}

# stat_all FILE: of each path in it, what changes when the file does, size and times; and the path.
stat_all() {
    if stat -c %s / >/dev/null 2>&1; then
        tr '\n' '\0' <"$1" | xargs -0 stat -L -c '%s %.9Y %.9Z %n'
    else
        tr '\n' '\0' <"$1" | xargs -0 stat -L -f '%z %Fm %Fc %N'
    fi
}

# From what the program says to what Xcode shows: errors and warnings stand at the target file, where the target or the
# artifact that they begin with has its name; copies of inputs go by the names of these.
for_xcode() {
    FILE=$source COPIES=$copies LC_ALL=C awk '
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

dead=' '
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
