#!/bin/sh
# force.sh USABLE ISA PROGRAM ARGUMENT...: runs the program with the instruction set forced, or reports it as skipped.
usable=$1 isa=$2
shift 2
"$usable" "$isa" || exit 77
WEFT_ISA=$isa exec "$@"
