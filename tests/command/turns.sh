# Two programs that compute, at once, where the emulator's processors take turns: each gets its share of the processors
# from its begin on, so both take the same time, also where a processor without work is given back at once.
# test: timeout=300
tools=$(dirname "$QUOIN")/tools
words="bodies=1024 steps=1 threads=8"

fail() {
    echo "$1" >&2
    exit 1
}

# PROCESSORS PROGRAM SETTINGS WORDS: two of it, of which the second begins within three slices (of 2,000,000 ticks), and
# neither is a quarter faster than the other.
beside() {
    local program=("$3" "$2" $words $4)

    "$QUOIN" run --turn 838 --timeout 120 --smp "$1" --policy "$tools/policy/native" \
        --add "$BUILD/programs/$2:/bin/$2" -- native ${program[@]} name=1 ';' ${program[@]} name=2 \
        < /dev/null > "$TMP/got" || fail "$*: ended with $?: $(< "$TMP/got")"
    cat "$TMP/got"
    awk '/ ticks / { ticks[++n] = $8; from[n] = $10 }
         END { late = from[1] - from[2]; more = ticks[1] / ticks[2]
               exit !(n == 2 && late < 6e6 && late > -6e6 && more < 1.25 && more > 0.8) }' "$TMP/got" ||
        fail "$*: $(< "$TMP/got")"
}

beside 2 nbody_fast schedule=activations spins=0
beside 6 nbody_fast schedule=activations ""
beside 6 nbody schedule=threads ""
