# With --turn each processor has the same part of the clock, whatever it does, and the parallel clock says how long it
# has run: work whose length is known takes that long, whoever is busy, pauses, blocks or idles beside it.
# test: timeout=300
tools=$(dirname "$QUOIN")/tools
work=4000000

fail() {
    echo "$1" >&2
    exit 1
}

native() {                               # TURN PROCESSORS WORDS...
    "$QUOIN" run --turn "$1" --timeout 60 --smp "$2" --policy "$tools/policy/native" \
        --add "$BUILD/programs/parallel_test:/bin/parallel_test" -- native "${@:3}" < /dev/null
}

# TURN PROCESSORS WORDS...: it takes as long as one busy thread, give or take 1 %: a timer of somebody's ends a turn too.
took() {
    local line
    native "$@" work=$work > "$TMP/got" || fail "ended with $?: $*"
    read -r line < "$TMP/got"
    [[ $line =~ ^parallel:\ took\ ([0-9]+) ]] || fail "$*: $line"
    echo "$*: ${BASH_REMATCH[1]}"
    ((BASH_REMATCH[1] >= work - work / 100)) || fail "faster than can be: $*: $line"
    ((BASH_REMATCH[1] <= work + work / 100)) || fail "slower than it is: $*: $line"
}

took 838 6 parallel_test busy=1
took 838 6 parallel_test busy=6
took 838 6 parallel_test busy=1 pausing=5
took 838 6 parallel_test busy=3 pausing=3
took 838 6 parallel_test busy=3 blocking=3
took 209 6 parallel_test busy=1 pausing=5
took 209 6 parallel_test busy=3 pausing=3
took 419 1 parallel_test busy=1
took 419 5 parallel_test busy=5

# Two programs that want all processors: from the first one's begin to the end of both it takes what all of the work does.
both=(parallel_test busy=6 work=$work)
native 838 6 "${both[@]}" ';' "${both[@]}" > "$TMP/got"
cat "$TMP/got"
awk -v all=$((2 * work)) '{ from = NR == 1 || $5 < from ? $5 : from; to = $3 + $5 > to ? $3 + $5 : to }
    END { exit NR != 2 || to - from < all * 0.99 || to - from > all * 1.05 }' "$TMP/got" || fail "two at once"

# Only with lengths that there are.
! native 1000 2 parallel_test 2> "$TMP/error" || fail "a turn of 1000"
grep -q -- '--turn' "$TMP/error" || fail "$(< "$TMP/error")"
