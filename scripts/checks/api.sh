#!/bin/sh
# api.sh PROJECT: what the public headers promise by their form (docs/design.md, "The public API").
#   - An enum has a name, and its constants begin with it: weft_reduction has WEFT_REDUCTION_MEAN. Flags of a function
#     have the function's name: weft_grad_flags has WEFT_GRAD_CREATE_GRAPH. Dtypes and statuses are WEFT_F32 and WEFT_OK.
#   - A function's context, or the module or custom operation that it runs, is its first parameter. Tensors come before other
#     parameters, but for results, which come last (weft_tensor **). A dim is an int64_t, the length of a list of sizes or dims is ndim.
#   - A struct that a function takes begins with struct_size, and a macro fills all of it (weft_adam_options has
#     WEFT_ADAM_DEFAULTS). One that a function fills comes with its size, which the caller passes. None is returned by
#     value. So each can grow; one whose comment ends with "Complete: it never grows." need not.
# tests/scripts/api.sh plants such places and looks whether they are seen.
set -u
cd "${1:-.}" || exit 2
set -- include/weft/*.h
[ -e "$1" ] || {
    echo "api: no headers found"
    exit 1
}
awk '
function complain(what) { print "  " file ":" line ": " what; bad = 1 }

# Comments become blanks, line ends stay.
function strip(text,    out, start, n) {
    out = ""
    while ((start = index(text, "/*")) > 0) {
        out = out substr(text, 1, start - 1)
        text = substr(text, start + 2)
        n = index(text, "*/")
        block = substr(text, 1, n - 1)
        gsub(/[^\n]/, "", block)
        out = out block
        text = substr(text, n + 2)
    }
    out = out text
    gsub(/\/\/[^\n]*/, "", out)
    return out
}

# The line on which the character at `at` of the header stands.
function line_of(at,    before) {
    before = substr(whole, 1, at)
    return gsub(/\n/, "", before) + 1
}

function enum(name, body,    prefix, n, k, items) {
    if (name == "") { complain("an enum without a name: its constants have no prefix"); return }
    if (name == "weft_dtype" || name == "weft_status") return
    prefix = toupper(name)
    sub(/_FLAGS$/, "", prefix)
    n = split(body, items, ",")
    for (k = 1; k <= n; k++) {
        sub(/=.*/, "", items[k])
        gsub(/[ \n\t]/, "", items[k])
        if (items[k] != "" && index(items[k], prefix "_") != 1)
            complain(items[k] " does not begin with " prefix "_, the name of its enum")
    }
}

function scan(    rest, at, head, body, name, close_at) {
    rest = whole
    at = 0
    while (match(rest, /(^|[^A-Za-z0-9_])enum[ \n]*([A-Za-z0-9_]+[ \n]*)?\{/)) {
        head = substr(rest, RSTART, RLENGTH)
        line = line_of(at + RSTART + 1)
        at += RSTART + RLENGTH - 1
        rest = substr(rest, RSTART + RLENGTH)
        close_at = index(rest, "}")
        body = substr(rest, 1, close_at - 1)
        name = head
        sub(/^.?enum[ \n]*/, "", name)
        gsub(/[ \n{]/, "", name)
        enum(name, body)
        enums++
    }
    prototypes()
}

# What is wrong with one parameter; number counts from 0.
function parameter(name, text, number,    last) {
    last = text
    sub(/.*[ *]/, "", last)
    if (text ~ /\(\*/) return
    if (text ~ /weft_ctx \*[^*]/ && number > 0 && name != "weft_lockstep" && name != "weft_compare_ops")
        complain(name ": the context is parameter " number ", not the first")
    if (text ~ /weft_tensor ?\*/ && text !~ /weft_tensor \*\*/ && others != "")
        complain(name ": " last " comes after " others "; tensors come first, results (weft_tensor **) last")
    if (text !~ /weft_tensor ?\*/ && text !~ /weft_ctx \*/ && last != "n" && last !~ /^n_/) {
        if (text !~ /(char \*|weft_custom_op \*|weft_module \*)/) others = last
    }
    if (last ~ /^n_?(dims|axes)$/ || last == "n_shape")
        complain(name ": " last " is called ndim elsewhere")
    if (last ~ /(^|_)(dim|axis)[0-9]?$/ && text !~ /^(const )?int64_t /)
        complain(name ": " last " is a dim and therefore an int64_t")
}

function defaults_of(type,    name) {
    name = type
    if (name != "weft_options") sub(/_(params|options)$/, "", name)
    return toupper(name) "_DEFAULTS"
}

# The structs of a header, with whether they can grow.
function structs(    rest, raw, name, body, at) {
    rest = whole
    at = 0
    while (match(rest, /typedef struct weft_[a-z0-9_]+[ \n]*\{/)) {
        name = substr(rest, RSTART, RLENGTH)
        line = line_of(at + RSTART)
        at += RSTART + RLENGTH - 1
        rest = substr(rest, RSTART + RLENGTH)
        sub(/^typedef struct /, "", name)
        gsub(/[ \n{]/, "", name)
        known[name] = file
        place[name] = line
        body = rest
        sub(/^[ \n]*/, "", body)
        sized[name] = index(body, "size_t struct_size;") == 1
        raw = text
        gsub(/\n \* /, " ", raw)
        complete[name] = match(raw, "Complete: it never grows[.] [*]/\ntypedef struct " name "[ \n]") > 0
        if (sized[name]) {
            growing++
            if (index(text, "#define " defaults_of(name) " ") == 0 && index(text, "#define " defaults_of(name) "\n") == 0)
                complain(name " has no macro " defaults_of(name) " that fills it")
        } else if (name ~ /_(params|options)$/)
            complain(name " does not begin with struct_size")
    }
}

# The struct of a parameter, if that is a pointer to one: without const, stars and name.
function struct_of(text,    type) {
    type = text
    if (text ~ /\(\*/ || text ~ /\*\*/ || text !~ /\*/) return ""
    sub(/^const /, "", type)
    sub(/[ ]*\*.*/, "", type)
    return type in known && !complete[type] ? type : ""
}

# Whether a struct is taken or filled in a way that lets it grow.
function struct_parameter(name, text, list, count, number,    type, k) {
    type = struct_of(text)
    if (type == "") return
    if (text ~ /^const /) {
        if (!sized[type]) complain(name ": " type " is taken, but does not begin with struct_size")
        return
    }
    for (k = number + 1; k < count; k++)
        if (list[k] == "size_t size") return
    complain(name ": " type " is filled, but no size_t size says how much of it the caller knows")
}

# One prototype: its parameters, split at the commas that stand in no parentheses.
function prototype(text,    name, k, c, depth, number, part, result, list) {
    name = text
    sub(/\(.*/, "", name)
    result = name
    sub(/.*[ *]/, "", name)
    sub(/ *[a-z0-9_]+$/, "", result)
    sub(/.* /, "", result)
    if (result in known) complain(name " returns " result " by value, which then can never grow")
    text = substr(text, index(text, "(") + 1)
    depth = 0; number = 0; part = ""; others = ""
    functions++
    for (k = 1; k <= length(text); k++) {
        c = substr(text, k, 1)
        if (c == ")" && depth == 0) break
        if (c == "(") depth++
        if (c == ")") depth--
        if (c == "," && depth == 0) {
            list[number] = part
            parameter(name, part, number++)
            part = ""
        } else if (!(part == "" && c == " "))
            part = part c
    }
    list[number] = part
    parameter(name, part, number++)
    for (k = 0; k < number; k++)
        struct_parameter(name, list[k], list, number, k)
}

function prototypes(    rest, at, text) {
    rest = whole
    at = 0
    while (match(rest, /WEFT_API [^;]*;/)) {
        text = substr(rest, RSTART, RLENGTH)
        line = line_of(at + RSTART)
        at += RSTART + RLENGTH - 1
        rest = substr(rest, RSTART + RLENGTH)
        sub(/[)][ \n]*(__attribute__|WEFT_PRINTF).*/, ")", text)
        gsub(/[ \n\t]+/, " ", text)
        if (text ~ /\(/) prototype(text)
    }
}

FNR == 1 { names[++files] = FILENAME }
{ texts[FILENAME] = texts[FILENAME] $0 "\n" }
function visit(k) {
    file = names[k]
    text = texts[file]
    whole = strip(text)
}
END {
    for (k = 1; k <= files; k++) { visit(k); structs() }
    for (k = 1; k <= files; k++) { visit(k); scan() }
    if (!enums + !functions) { print "  no enum or no function found: the check reads nothing"; bad = 1 }
    if (!bad) print "api: fine, " enums " enums, " functions " functions, " growing " structs of options"
    exit bad
}
' "$@"
