#!/bin/sh
# format.sh PROJECT [fix]: checks that the C and C++ files are as clang-format 14 writes them (other versions differ in
# details), or with "fix" makes them so. Files with columns aligned by hand (ops.def) and generated ones (ops.h) are left
# alone.
set -u
cd "${1:-.}" || exit 2
tool=
for name in clang-format-14 clang-format; do
    if command -v $name >/dev/null 2>&1 && $name --version | grep -q 'version 14\.'; then
        tool=$name
        break
    fi
done
if [ -z "$tool" ]; then
    echo "skipped: clang-format 14 is not installed (Debian 12: apt-get install clang-format)"
    exit 77
fi
list() {
    find include src kernels tools tests examples bench -type f \( -name '*.[ch]' -o -name '*.inc' -o -name '*.cc' \
        -o -name '*.cpp' -o -name '*.hpp' -o -name '*.cu' -o -name '*.cuh' \) ! -path include/weft/ops.h 2>/dev/null
}
if [ "${2:-}" = fix ]; then
    list | xargs "$tool" --style=file -i
    exit
fi
wrong=$(list | xargs "$tool" --style=file --dry-run 2>&1 | awk -F: '/code should be clang-formatted/ { n[$1]++ }
    END { for (file in n) print "  " file ": " n[file] " places" }' | sort)
[ -z "$wrong" ] && echo "format: fine" && exit 0
echo "not as clang-format writes it (sh scripts/checks/format.sh . fix):"
echo "$wrong"
exit 1
