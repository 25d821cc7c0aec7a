#!/bin/sh
# records.sh COMPILER SOURCE: a record (src/ops) of which a part is left out does not compile, one that is missing does not
# link, and no row is without a contract. Each part of one record is taken out in turn.
set -u
compiler=$1 source=$2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
bad=0

record='WEFT__DEFINE(SOFTMAX, softmax, OPERANDS(FLOATS), ATTRS(along), INFER(weft__infer_like, AS_GIVEN), RESULTS(1, ROWWISE), EFFECT(PURE), '\
'DERIVATIVE(weft__vjp_softmax, IN_STEPS, READS(RESULT), SOFTMAX_GRAD, GRADIENT("y (g - sum(g y))")), '\
'WORK(weft__terms_one, weft__flops_each, weft__bytes_once), SAMPLE(call_softmax, RECIPE("xab", "-1")))'

composite='WEFT__DEFINE_COMPOSITE(MSE, mse, PARTS(FLOATS, PART(SUB, WIDE)), GRADIENT("g"), '\
'WORK(weft__terms_one, weft__flops_each, weft__bytes_once), SAMPLE(call_softmax, RECIPE("xab", "-1")))'

compiles() {
    printf '#include "ops/define.h"\nCALL(softmax) { c->out[0] = weft_softmax(c->in[0], c->i[0]); }\n%s\n' "$1" >"$work/record.c"
    "$compiler" -std=c17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$source/include" -I"$source/src" "$work/record.c" \
        2>"$work/said"
}

if ! compiles "$record"; then
    echo "the whole record does not compile:"
    cat "$work/said"
    exit 1
fi

# without WHAT TEXT: the record without TEXT must be refused.
without() {
    lacking=$(printf '%s' "$record" | awk -v part="$2" '{ all = all $0 " " }
        END { at = index(all, part); if (!at) exit 1; print substr(all, 1, at - 1) substr(all, at + length(part)) }') ||
        { echo "the record has no $1"; bad=1; return; }
    if compiles "$lacking"; then
        echo "a record without its $1 compiles"
        bad=1
    fi
}

without operands 'OPERANDS(FLOATS), '
without attributes 'ATTRS(along), '
without infer 'INFER(weft__infer_like, AS_GIVEN), '
without "the function of infer" 'weft__infer_like, '
without promotion ', AS_GIVEN'
without results 'RESULTS(1, ROWWISE), '
without effect 'EFFECT(PURE), '
without derivative 'DERIVATIVE(weft__vjp_softmax, IN_STEPS, READS(RESULT), SOFTMAX_GRAD, GRADIENT("y (g - sum(g y))")), '
without rule 'weft__vjp_softmax, '
without rounding 'IN_STEPS, '
without "what the derivative reads" ', READS(RESULT)'
without "kernel of the gradient" ', SOFTMAX_GRAD'
without work ', WORK(weft__terms_one, weft__flops_each, weft__bytes_once)'
without terms 'weft__terms_one, '
without flops 'weft__flops_each, '
without bytes ', weft__bytes_once'
without "gradient in words" ', GRADIENT("y (g - sum(g y))")'
without sample ', SAMPLE(call_softmax, RECIPE("xab", "-1"))'
without call 'call_softmax, '
without recipe ', RECIPE("xab", "-1")'
without "the recipe's numbers" ', "-1"'

record=$composite
compiles "$record" || { echo "the whole composite does not compile:"; cat "$work/said"; bad=1; }
without "parts of a composite" 'PARTS(FLOATS, PART(SUB, WIDE)), '
without "dtype of a part" ', WIDE'
without "kind of a composite's operand" 'FLOATS, '
without "gradient of a composite" 'GRADIENT("g"), '

# A part that stands there twice is an error, too: nothing is overwritten in silence.
if compiles "$(printf '%s' "$record" | sed 's/GRADIENT("g")/WORK(weft__terms_one, weft__flops_each, weft__bytes_once)/')"; then
    echo "a record with two WORKs compiles"
    bad=1
fi

# The table demands every record.
"$compiler" -std=c17 -c -I"$source/include" -I"$source/src" -o "$work/rows.o" "$source/src/ops/rows.c" || exit 2
for name in softmax linear_grad transpose mse; do
    nm -u "$work/rows.o" | grep -q " weft__def_$name\$" || { echo "nothing demands the record of $name"; bad=1; }
done
# Before each row with a kernel of its own stands what that gets. The line before one is taken out to see that it shows.
without_contract() {
    awk '/^WEFT_(CUSTOM|KERNEL)\(/ && before !~ /^(\/\*| \*).*\*\/$/ { split($0, part, /[ ,]+/); print part[2] }
        NF { before = $0 }' "$1"
}
for row in $(without_contract "$source/src/ops/ops.def"); do
    echo "no contract stands before the row $row"
    bad=1
done
awk '/^WEFT_CUSTOM\(CUMSUM,/ { held = "" } held != "" { print held } { held = $0 } END { print held }' \
    "$source/src/ops/ops.def" >"$work/ops.def"
[ "$(without_contract "$work/ops.def")" = cumsum ] ||
    { echo "a row without a contract is not seen"; bad=1; }

[ $bad = 0 ] && echo "records: fine"
exit $bad
