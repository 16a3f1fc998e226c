# The n-body simulation gives the checksum that it gives on the host: on kernel threads, with one and several
# processors, with hardly any caches, with little memory for its bodies, and twice at once.  More processors make it
# faster by the parallel clock; less memory makes it slower.
# test: timeout=600
tools=$(dirname "$QUOIN")/tools

native() {                               # OPTIONS -- WORDS
    "$QUOIN" run --timeout 120 --policy "$tools/policy/native" --add "$BUILD/programs/nbody:/bin/nbody" "$@" < /dev/null
}

fail() {
    echo "$1" >&2
    exit 1
}

word() {                                 # NAME LINE...: the number behind it
    awk -v name="$1" '{ for (i = 1; i < NF; i++) if ($i == name) print $(i + 1) }' "$TMP/got"
}

expected=$("$BUILD/tests/nbody_host" 128 2 4 5)
setup="nbody bodies=128 steps=2 seed=5 ticks=50000"

for cache in "" "--cache kernels=4,spaces=8,threads=16,mappings=256" \
             "--cache kernels=2,spaces=3,threads=4,mappings=64"; do
    for smp in 1 2 4; do
        native --smp $smp $cache -- native $setup threads=5 percent=50 > "$TMP/got"
        [[ $(word checksum) == "$expected" ]] || fail "$smp processors, $cache: $(< "$TMP/got")"
        (($(word misses) > 0)) || fail "no misses with half of the memory"
    done
done

# By the parallel clock, which is repeatable.
counted() {                              # PROCESSORS WORDS...: its ticks, with turns of $turn
    native --turn $turn --smp "$1" -- native $setup "${@:2}" > "$TMP/got"
    cat "$TMP/got" >&2
    [[ $(word checksum | sort -u) == "$expected" ]] || fail "counted: $*"
    word ticks
}
turn=838
alone=$(counted 1 threads=0)
again=$(counted 1 threads=0)
((alone == again)) || fail "not repeatable: $alone and $again"
one=$(counted 1 threads=8)
four=0                                   # three of them: where turns end decides who waits for a lock, in so short a run
for turn in 838 419 209; do
    ticks=$(counted 4 threads=8)
    four=$((four + ticks))
done
((four * 18 < one * 10 * 3)) || fail "four processors, three times: $four, one: $one"
less=$(counted 4 threads=8 percent=25)
((less * 3 > four)) || fail "a quarter of the memory costs nothing: $less and $four for three"
counted 4 threads=8 ';' $setup threads=8 name=2 > "$TMP/both"
(($(wc -l < "$TMP/both") == 2)) || fail "two at once: $(< "$TMP/both")"

# What cannot be.
for words in "nbody bodies=9" "nbody percent=0" "nobody" "priority=x nbody" "priority=99 nbody" "nbody thread=4" \
    "nbody threads=4 4" "nbody seed=" "nbody steps=2x"; do
    status=0
    native -- native $words > "$TMP/got" || status=$?
    ((status == 1 || status == 2)) || fail "accepted: $words"
done

native -- native nbody bodies=128 thread=4 steps=2 > "$TMP/got" || true
grep -qx 'nbody 1: this word means nothing: thread=4' "$TMP/got" || fail "which word: $(< "$TMP/got")"
native -- native schedule=activations nbody > "$TMP/got" 2>&1 || true
grep -q 'nbody has no note' "$TMP/got" || fail "no reason: $(< "$TMP/got")"
! grep -q 'cannot be loaded' "$TMP/got" || fail "another reason: $(< "$TMP/got")"

native --add "$BUILD/programs/nbody_fast:/bin/nbody_fast" -- native schedule=activations nbody_fast processors=0 \
    > "$TMP/got" || true
grep -q 'cannot begin: processors=0' "$TMP/got" || fail "no reason: $(< "$TMP/got")"

# The tables of tools/nbody.  A run that fails is named, and the others go on.
status=0
"$tools/nbody" --build "$BUILD" --bodies 128 --steps 1 --processors 1,2 --percent 100,50,0 --seeds 1 > "$TMP/table" ||
    status=$?
cat "$TMP/table" >&2
((status == 1)) || fail "with runs that fail: $status"
awk '/^Speed-up, by/ { getline; getline; exit !($3 > 0 && $4 > $3) }' "$TMP/table" || fail "speed-up"
awk '/^Time, by/ { getline; getline; exit !($4 > $3 && $5 == "-") }' "$TMP/table" || fail "time by memory"
grep -q '^Speed-up of 2 copies' "$TMP/table" || fail "no Table V"
# Name, the slowest, its part of the ideal and a sign, the least and the most, the mean: no more than half of six.
awk '/^Speed-up of 2/ { table = 1 } /^$/ { table = 0 }
     table && /^(kernel|original|new)/ { rows++; bad += !($3 > 0 && $6 > 0 && $6 <= $3 && $3 <= $7 && $7 <= 3) }
     END { exit rows != 3 || bad }' "$TMP/table" || fail "Table V"
grep -q '^no result: kernel threads, 6 processors, 1 copies, turn=838, percent=0, seed=1$' "$TMP/table" || fail "what failed is not named"
