#!/bin/sh
# bench_ops.sh PROGRAM PROJECT WORK: bench_ops keeps what it has when something fails - an operation that runs out of memory, the
# other side of --torch - and torch_ops.py understands it (with a stand-in for torch, which does nothing).
set -u
program=$1 project=$2 work=$3
rm -rf "$work"
mkdir -p "$work/torch"
bad=0

complain() {
    echo "$1"
    bad=1
}

# bench STATUS OUTPUT OPTION...: runs it; the figures go to $work/OUTPUT.json
bench() {
    wanted=$1 name=$2
    shift 2
    "$program" "$@" --json "$work/$name.json" >"$work/$name.out" 2>&1
    status=$?
    [ $status = "$wanted" ] || complain "$*: exit status $status, not $wanted: $(tail -n 3 "$work/$name.out")"
}

has() {
    grep -q "$2" "$work/$1" || complain "$1 does not say \"$2\""
}

# ---- Operations that fail ----

(
    ulimit -v 40000 || exit 77
    exec "$program" --rounds 1 --only rows --json "$work/memory.json" >"$work/memory.out" 2>&1
)
case $? in
77) echo "memory cannot be limited here" ;;
1)
    has memory.out 'FAILED: .*out of memory'
    has memory.out '[1-9][0-9]* measurements failed'
    has memory.json '"weft_error": ".*out of memory'
    sed '1,/weft_error/d' "$work/memory.json" | grep -q '"seconds"' || complain "nothing comes after a failure"
    ;;
*) complain "out of memory: $(tail -n 3 "$work/memory.out")" ;;
esac

# ---- The other side ----

cat >"$work/side.sh" <<'EOF'
echo torch 0
n=0
while read -r verb rest; do
    n=$((n + 1))
    case $verb:$rest in
    case:*gelu*) echo "error not \"here\"" ;;
    case:*) echo ok ;;
    *) echo 0.001 ;;
    esac
    [ $n != "${1:-0}" ] || exit
done
EOF
bench 0 side --quick --only rows --torch "sh $work/side.sh"
has side.json '"torch_peer": "torch 0"'
has side.json '"op": "softmax".*"weft_to_torch": '
has side.json '"op": "gelu".*"torch_error": "not \\"here\\""'
has side.json '"op": "rms_norm".*"dtype": "bf16".*"torch_seconds": 0.001'
bench 0 dies --quick --only rows --torch "sh $work/side.sh 5"
has dies.json '"op": "copy".*"torch_seconds"'
has dies.json '"op": "softmax".*"torch_error": "PyTorch.s side does not answer"'
bench 0 missing --quick --only attention --torch "$work/nothing"
has missing.json '"torch_peer": "PyTorch.s side does not start'
has missing.json '"op": "attention".*"seconds"'
bench 2 group --quick --only nothing

# ---- torch_ops.py ----

python3 -c 'import unittest.mock' 2>/dev/null || {
    echo "python3 is not installed: torch_ops.py was not tried"
    exit $bad
}
cat >"$work/torch/torch.py" <<'EOF'
"""Everything that torch has, doing nothing."""
import sys
from unittest import mock

stand_in = mock.MagicMock(name="torch")
stand_in.__version__ = "0"
sys.modules.update({"torch": stand_in, "torch.nn": stand_in.nn, "torch.nn.functional": stand_in.nn.functional})
EOF
for group in rows products images attention; do
    PYTHONPATH=$work/torch bench 0 "torch-$group" --quick --only $group --torch "python3 $project/bench/torch_ops.py"
    ! grep -q torch_error "$work/torch-$group.json" || complain "$(grep -m 1 torch_error "$work/torch-$group.json")"
    rows=$(grep -c '"op"' "$work/torch-$group.json")
    [ "$rows" -gt 0 ] && [ "$rows" = "$(grep -c weft_to_torch "$work/torch-$group.json")" ] ||
        complain "$group: not every row has a figure of torch"
done

[ $bad = 0 ] && echo "bench_ops: fine"
exit $bad
