#!/bin/sh
# consumer.sh SOURCE CMAKE GENERATOR BUILD CC VERSION WORK LIBDIR: installs the build into a folder and uses it as a
# stranger would, by find_package, by pkg-config and by a plain compiler call, with the shared and the static library.
set -eu
source=$1 cmake=$2 generator=$3 build=$4 cc=$5 version=$6 work=$7 libdir=$8
rm -rf "$work"
mkdir -p "$work"
"$cmake" --install "$build" --prefix "$work/first" >"$work/install.log"
mv "$work/first" "$work/moved" # nothing may remember where it was installed
prefix=$work/moved
lib=$prefix/$libdir

run() { # what, command...
    what=$1
    shift
    said=$("$@") || {
        echo "$what: exit status $?: $said"
        exit 1
    }
    [ "$said" = "weft $version: 4.5" ] || {
        echo "$what: unexpected output: $said"
        exit 1
    }
    echo "$what: $said"
}

"$cmake" -G "$generator" -S "$source" -B "$work/build" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_C_COMPILER="$cc" -DWEFT_WANTED="$version" >"$work/configure.log"
"$cmake" --build "$work/build" >"$work/build.log"
run "find_package, shared" "$work/build/consumer"
run "find_package, static" "$work/build/consumer_static"

if command -v pkg-config >/dev/null 2>&1; then
    flags=$(PKG_CONFIG_PATH=$lib/pkgconfig pkg-config --cflags --libs weft)
    # shellcheck disable=SC2086 # a list of words
    "$cc" "$source/main.c" $flags -Wl,-rpath,"$lib" -o "$work/by_pkg_config"
    run "pkg-config" "$work/by_pkg_config"
else
    echo "pkg-config: not installed, this part was not run"
fi

"$cc" "$source/main.c" -I"$prefix/include" -L"$lib" -lweft -Wl,-rpath,"$lib" -o "$work/plain"
run "plain cc, shared" "$work/plain"
"$cc" "$source/main.c" -I"$prefix/include" "$lib/libweft.a" -lm -pthread -o "$work/plain_static"
run "plain cc, static" "$work/plain_static"

if [ -x "$prefix/bin/weft" ]; then
    said=$("$prefix/bin/weft" --version)
    [ "$said" = "weft $version" ] || {
        echo "the weft command: unexpected output: $said"
        exit 1
    }
    [ -n "$(find "$prefix" -name weft.1)" ] || {
        echo "the weft command has no manual page beside it"
        exit 1
    }
    echo "the weft command: $said"
fi
