#!/bin/sh
# errors.sh FOLDER DIGITS.CSV WORK: what the programs digits and mnist in FOLDER say, and exit with, when their arguments or
# files are wrong.
set -u
folder=$1 csv=$2 work=$3
bad=0
rm -rf "$work"
mkdir -p "$work"

# refuses STATUS TEXT PROGRAM ARGUMENT...: it exits so, says that, and nothing else than that on stderr.
refuses() {
    wanted=$1 text=$2 program=$3
    shift 3
    said=$("$folder/$program" --out "$work/out" "$@" 2>&1 >/dev/null)
    status=$?
    case $said in
    *"$text"*) [ $status = "$wanted" ] && [ "$(printf '%s\n' "$said" | wc -l)" = 1 ] && return ;;
    esac
    echo "$program $*: exit status $status, wanted $wanted with \"$text\" in one line; said: $said"
    bad=1
}

refuses 2 "no such option" digits --devices cpu
refuses 2 "no such option" digits cpu
refuses 2 "a value must follow" digits --device
refuses 2 "a value must follow" digits --device=
refuses 2 "names no device" digits --device cuda:
refuses 2 "no kind of device" digits --device tpu
refuses 2 "'0' is not a whole number from 1 to 1000" mnist --epochs 0
refuses 2 "'1.5' is not a whole number" mnist --epochs=1.5
refuses 2 "'1e9' is not" mnist --epochs 1e9
refuses 2 "'ten' is not a number from 0 to 100" mnist --goal ten
refuses 2 "'nan' is not" mnist --goal nan
"$folder/digits" --device tpu --help | grep -q -- "--device NAME" || {
    echo "digits --help does not list --device"
    bad=1
}

table=$work/table.csv
refuses 1 "No such file or directory; run this in" digits --data "$table"
: >"$table"
refuses 1 "$table:1: the file ends here" digits --data "$table"
head -n 100 "$csv" >"$table"
refuses 1 "$table:101: the file ends here" digits --data "$table"
sed '5s/,[0-9]*,/,x,/' "$csv" >"$table"
refuses 1 "$table:5: " digits --data "$table"
sed '7s/,[0-9]*$//' "$csv" >"$table"
refuses 1 "$table:7: fewer numbers" digits --data "$table"
sed '9s/$/,0/' "$csv" >"$table"
refuses 1 "$table:9: more numbers" digits --data "$table"

idx=$work/idx
images=$idx/train-images-idx3-ubyte
mnist() { # TEXT HEADER: the training images are these bytes, in printf's notation
    mkdir -p "$idx"
    # shellcheck disable=SC2059 # the format is the data
    printf "$2" >"$images"
    refuses 1 "$1" mnist --data "$idx"
}
refuses 1 "No such file or directory; name the folder" mnist --data "$idx"
mnist "ends inside its header" ''
mnist "ends inside its header" '\0\0\10'
mnist "ends inside its header" '\0\0\10\3\0\0\0\1\0\0'
mnist "is not an idx file of bytes" '\211PNG'
mnist "is not an idx file of bytes" '\0\0\15\3\0\0\0\1'
mnist "is compressed" '\037\213\10\0'
mnist "has 1 dims instead of 3" '\0\0\10\1\0\0\0\1\7'
mnist "impossible sizes" '\0\0\10\3\0\0\0\0\0\0\0\34\0\0\0\34'
mnist "impossible sizes" '\0\0\10\3\377\377\377\377\377\377\377\377\377\377\377\377'
mnist "has 3 bytes of data instead of 784" '\0\0\10\3\0\0\0\1\0\0\0\34\0\0\0\34abc'
mnist "has 5 bytes of data instead of 4" '\0\0\10\3\0\0\0\1\0\0\0\2\0\0\0\2abcde'
rm "$images"
mkdir "$images"
refuses 1 "Is a directory" mnist --data "$idx"
rmdir "$images"
: >"$images.gz"
refuses 1 "must be unpacked first" mnist --data "$idx"
printf '\0\0\10\1\0\0\0\1\7' >"$idx/train-labels-idx1-ubyte"
mnist "not images of 28 x 28 pixels" '\0\0\10\3\0\0\0\1\0\0\0\2\0\0\0\2abcd'

[ $bad = 0 ] && echo "errors: fine"
exit $bad
