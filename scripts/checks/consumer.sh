#!/bin/sh
# consumer.sh SOURCE CMAKE GENERATOR BUILD CC VERSION WORK LIBDIR: installs the build into a folder and uses it as a
# stranger would: by find_package, and by every line of README.md that begins with "cc app.c", to the letter.
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

# README.md's lines, in a folder with what they name: the sources' include/, the build tree and ~/weft.
project=$(cd "$source/../.." && pwd)
place=$work/readme
mkdir -p "$place/build" "$place/home" "$place/bin"
ln -s "$project/include" "$place/include"
ln -s "$build" "$place/build/release"
ln -s "$prefix" "$place/home/weft"
ln -s "$(command -v "$cc")" "$place/bin/cc"
cp "$source/main.c" "$place/app.c"
# The prefix in README.md has its libraries in lib/; a distribution's own folder for them is put in its place.
sed -n '/^export PKG_CONFIG_PATH=/p; /^cc app\.c /p' "$project/README.md" | sed "s|~/weft/lib/|~/weft/$libdir/|" >"$place/lines"
[ "$(grep -c '^cc app\.c ' "$place/lines")" -ge 3 ] || {
    echo "README.md shows fewer than 3 ways to call the compiler"
    exit 1
}
export_line=$(grep '^export' "$place/lines")
grep '^cc app\.c ' "$place/lines" >"$place/calls"
while IFS= read -r line; do
    case $line in
    *pkg-config*)
        if ! command -v pkg-config >/dev/null 2>&1; then
            echo "pkg-config: not installed, this line was not run: $line"
            continue
        fi
        ;;
    esac
    (cd "$place" && rm -f a.out && HOME=$place/home PATH=$place/bin:$PATH && export HOME PATH &&
        eval "$export_line" && eval "$line") </dev/null || {
        echo "this line of README.md fails: $line"
        exit 1
    }
    run "README: ${line%%  *}" env -u LD_LIBRARY_PATH "$place/a.out"
done <"$place/calls"

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
