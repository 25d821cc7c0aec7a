# rooms.awk - who may use whom, by the list "rooms" (variable rooms). Four kinds of input:
#
#   mode=files      paths of all files: each has a room, and each name in the list a file
#   mode=includes   lines PATH:LINE:#include "NAME" (of grep)
#   mode=symbols    lines OBJECT[...]: SYMBOL TYPE ... (of nm -A -P), in variable folder: what object names are relative to
#   mode=state      lines OBJECT:SYMBOL|...|CLASS|TYPE|...|...|SECTION (of nm -A -f sysv), folder likewise
#
# arrows=1 prints how many arrows there are between which rooms instead of what is wrong.

function fail(text) { print text; bad = 1 }

function as_pattern(glob) {
    gsub(/[.]/, "[.]", glob)
    gsub(/[*]/, ".*", glob)
    return "^" glob "$"
}

function load(   line, word, n, k, room, path) {
    while ((getline line < rooms) > 0) {
        sub(/[[:space:]]*#.*/, "", line)
        n = split(line, word, /[[:space:]:]+/)
        if (line ~ /^room /) {
            room = word[2]
            order[room] = ++n_rooms
            for (k = 3; k <= n; k++) {
                if (word[k] == "")
                    continue
                if (word[k] != "public" && !(word[k] in order))
                    fail(rooms ": room " room " may use only rooms above it, which " word[k] " is not")
                may[room, word[k]] = 1
            }
        } else if (line ~ /^table /) {
            table[++n_tables] = as_pattern(word[2])
        } else if (line ~ /^state /) {
            state[word[2]] = 1
        } else {
            for (k = 1; k <= n; k++) {
                if (word[k] == "")
                    continue
                pattern[++n_patterns] = as_pattern(word[k])
                glob[n_patterns] = word[k]
                room_of_pattern[n_patterns] = room
            }
        }
    }
    if (!n_rooms)
        fail(rooms ": no rooms")
}

function room_of(path,   k) {
    if (path in known)
        return known[path]
    for (k = 1; k <= n_patterns; k++)
        if (path ~ pattern[k]) {
            fits[k] = 1
            return known[path] = room_of_pattern[k]
        }
    return known[path] = ""
}

function file_line() {
    is_there[$0] = 1
    if (room_of($0) == "")
        fail("  " $0 " is in no room; give it one in " rooms)
}

function check_list(   k) {
    for (k = 1; k <= n_patterns; k++)
        if (!(k in fits) && glob[k] !~ /[*]/)
            fail("  " glob[k] " is in " rooms ", but there is no such file")
    for (k in state)
        if (!(k in is_there))
            fail("  " k " is in " rooms " for its state, but there is no such file")
}

# Whether room a may use what is in room b: its names (public: by what include/weft declares).
function allowed(a, b, public) {
    if (a == b || (a, b) in may || b == "include")
        return 1
    return public && (a, "public") in may && order[b] < order[a]
}

# "a/./b/../c" as "a/c"
function tidy(path,   part, n, k, out, m) {
    n = split(path, part, "/")
    m = 0
    for (k = 1; k <= n; k++) {
        if (part[k] == "." || part[k] == "")
            continue
        if (part[k] == ".." && m > 0)
            m--
        else
            kept[++m] = part[k]
    }
    out = ""
    for (k = 1; k <= m; k++)
        out = out (k > 1 ? "/" : "") kept[k]
    return out
}

# Whether a symbol is constant data that a higher room defines.
function is_table(symbol,   k) {
    for (k = 1; k <= n_tables; k++)
        if (symbol ~ table[k])
            return 1
    return 0
}

function exists(path,   line, there) {
    if (!(path in seen)) {
        there = (getline line < path) >= 0
        close(path)
        seen[path] = there
    }
    return seen[path]
}

# The file that an #include of path names, or "": one that is made by the build.
function target_of(path, name,   folder, top) {
    folder = path
    sub(/[^\/]*$/, "", folder)
    top = path
    sub(/\/.*/, "/", top)
    if (exists(tidy(folder name)))
        return tidy(folder name)
    if (exists(tidy("src/" name)))
        return tidy("src/" name)
    if (exists(tidy(top name)))
        return tidy(top name)
    return exists(tidy(name)) ? tidy(name) : ""
}

function include_line(   part, path, name, target, a, b) {
    split($0, part, ":")
    path = part[1]
    split($0, part, "\"")
    name = part[2]
    target = target_of(path, name)
    if (target == "")
        return
    a = room_of(path)
    b = room_of(target)
    if (b == "")
        fail("  " target " is in no room")
    else if (a != "" && !allowed(a, b, 0))
        fail("  " $0 ": room " a " may not use room " b)
    count[a " -> " b]++
}

# The source of an object file.
function source_of(object) {
    sub(/:$/, "", object)
    sub(/^.*[.]dir\//, "", object)
    sub(/[.]o(bj)?$/, "", object)
    return tidy(folder "/" object)
}

function symbol_line(   object, symbol, type) {
    object = source_of($1)
    symbol = $2
    type = $3
    if (type == "U" || type == "w" || type == "v") {
        used[++n_used] = object SUBSEP symbol
    } else if (type ~ /^[A-Z]$/ && !(symbol in definer)) {
        definer[symbol] = object
        type_of[symbol] = type
    }
}

function check_symbols(   k, part, a, b, from, to, symbol) {
    for (k = 1; k <= n_used; k++) {
        split(used[k], part, SUBSEP)
        from = part[1]
        symbol = part[2]
        if (!(symbol in definer))
            continue
        to = definer[symbol]
        a = room_of(from)
        b = room_of(to)
        if (a != b)
            count[a " -> " b]++
        if (a == "" || b == "") {
            fail((a == "" ? from : to) " is in no room")
        } else if (is_table(symbol)) {
            if (type_of[symbol] !~ /[RD]/)
                fail(symbol " is listed as a table, but is not constant data")
        } else if (!allowed(a, b, symbol !~ /^weft__/)) {
            fail(sprintf("object %s (%s) uses symbol %s of object %s (%s%s)", from, a, symbol, to,
                         order[b] > order[a] ? "higher: " : "", b))
        }
    }
}

function state_line(   part, n, object, symbol, section) {
    n = split($0, part, "|")
    if (n < 7 || part[1] !~ /:/)
        return
    section = part[7]
    gsub(/[[:space:]]/, "", section)
    if (section !~ /^[.](t?data|t?bss|sdata|sbss|ldata|lbss)/ || section ~ /^[.]data[.]rel[.]ro/)
        return
    if (part[4] !~ /OBJECT|TLS/)
        return
    object = part[1]
    symbol = part[1]
    sub(/:[^:]*$/, "", object)
    sub(/^.*:/, "", symbol)
    gsub(/[[:space:]]/, "", symbol)
    object = source_of(object)
    if (symbol ~ /^__/) # of the sanitizers
        return
    if (is_table(symbol))
        fail("  " object ": " symbol " is listed as a table, but can be written")
    else if (!(object in state))
        fail("  " object ": " symbol " can be written and belongs to the whole process")
}

BEGIN { load() }
mode == "files" { file_line() }
mode == "includes" { include_line() }
mode == "symbols" { symbol_line() }
mode == "state" { state_line() }
END {
    if (mode == "files")
        check_list()
    if (mode == "symbols")
        check_symbols()
    if (arrows)
        for (k in count)
            print "  " k ": " count[k]
    exit bad
}
