# lib.sh - what the scripts share; to be sourced by a POSIX shell. Nothing here runs by itself.

say() {
    printf '\n== %s\n' "$*"
}

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

# need PROBE=PACKAGE...: installs the Debian packages whose probe (a command, or a file by its full path) is missing. As
# root, or by sudo where it asks for no password; otherwise says what to install and stops.
need() {
    missing=
    for pair in "$@"; do
        probe=${pair%%=*}
        case $probe in
        /*) [ -e "$probe" ] && continue ;;
        *) command -v "$probe" >/dev/null 2>&1 && continue ;;
        esac
        missing="$missing ${pair#*=}"
    done
    [ -z "$missing" ] && return 0
    command -v apt-get >/dev/null 2>&1 || die "Please install (Debian's names):$missing"
    root=
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || die "Please install as root: apt-get install$missing"
        root=sudo
    fi
    say "installing$missing"
    $root apt-get -qq -o Acquire::Retries=3 update || die "apt-get update failed; is there a network?"
    # shellcheck disable=SC2086 # a list of words
    $root env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes apt-get -qq -y -o Acquire::Retries=3 \
        -o Dpkg::Use-Pty=0 install --no-install-recommends $missing >/dev/null || die "apt-get install$missing failed"
}

# want SECONDS PACKAGE PROBE...: installs an optional Debian package if none of the commands PROBE is there and its download
# takes no longer than that. It asks for nothing and never stops the script: what needs the package does without.
want() {
    seconds=$1 package=$2
    shift 2
    for probe in "$@"; do
        command -v "$probe" >/dev/null 2>&1 && return 0
    done
    command -v apt-get >/dev/null 2>&1 && command -v timeout >/dev/null 2>&1 || return 0
    root=
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || return 0
        root=sudo
    fi
    say "trying to install $package, at most $seconds s for its download"
    # Only the download is cut off: an installation that is cut off would leave packages broken.
    for step in "timeout $seconds apt-get --download-only" "apt-get --no-download"; do
        # shellcheck disable=SC2086 # a list of words
        $root env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes $step -qq -y -o Dpkg::Use-Pty=0 install \
            --no-install-recommends "$package" </dev/null >/dev/null 2>&1 || {
            echo "$package could not be installed; what needs it is skipped"
            return 0
        }
    done
}

jobs() {
    nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2
}

# build PRESET OPTION...: configures and builds a preset of CMakePresets.json.
build() {
    preset=$1
    shift
    say "$preset: building with $(jobs) jobs"
    launcher=
    command -v ccache >/dev/null 2>&1 &&
        launcher="-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache"
    # shellcheck disable=SC2086 # two words or none
    cmake --preset "$preset" $launcher "$@" >/dev/null &&
        cmake --build --preset "$preset" -j "$(jobs)" -- --quiet
}
