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
