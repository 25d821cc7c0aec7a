#!/bin/sh
# mutate.sh: asks the tests whether they notice small faults. Each mutant is a change of the sources, built and tested by
# itself in a copy of the tracked files below build/mutants, two at once; the sources themselves are never touched. What
# has been tried is kept in build/mutants/results.jsonl and not tried again, so that a run can be ended and begun anew.
#
#   sh scripts/mutate.sh check                  the lists tests/mutants/*.mut fit the sources (seconds; part of the tests)
#   sh scripts/mutate.sh listed [NAME|KIND...]  the mutants of the lists
#   sh scripts/mutate.sh drawn --count 500      mutants by rule (operators, numbers, statements, arguments), drawn by --seed
#   sh scripts/mutate.sh sample                 ten of each, in a quarter of an hour once the trees are built
#
# --near asks fewer tests, so that more pass, --jobs N trees at once, --time S ends after S seconds, --again repeats what
# is known, --least P fails below P percent.
set -eu
cd "$(dirname "$0")/.."
command -v ccache >/dev/null && export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
exec python3 tests/mutants/run.py "$@"
