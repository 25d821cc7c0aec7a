#!/bin/sh
# mnist.sh PROGRAM DATA WORK OPTION...: runs examples/mnist on the MNIST files in the folder DATA, plain or .gz. Status 77
# (skipped) where there are none.
set -eu
program=$1 data=$2 work=$3
shift 3
mkdir -p "$work/data"
for name in train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; do
    file=$data/$name-ubyte
    if [ -e "$file" ]; then
        cp "$file" "$work/data/"
    elif [ -e "$file.gz" ]; then
        gzip -dc "$file.gz" >"$work/data/$name-ubyte"
    else
        echo "skipped: $file is not there"
        exit 77
    fi
done
status=0
"$program" --data "$work/data" --out "$work/out" "$@" || status=$?
rm -rf "$work/data"
exit $status
