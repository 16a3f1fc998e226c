# The wind tunnel prints what the same simulation prints on the host: with one and two processors and
# workers, with the default caches and with hardly any, wherever it keeps its particles.
# test: timeout=300
tools=$(dirname "$QUOIN")/tools

tunnel() {                               # OPTIONS -- WORDS
    "$QUOIN" run --timeout 60 --policy "$tools/policy/mp3d" "$@" < /dev/null
}

fail() {
    echo "$1" >&2
    exit 1
}

small="particles=3000 steps=5 warm=1 grid=16x12x8 seed=9"
"$BUILD/tests/mp3d_host" $small > "$TMP/expected"
for smp in 1 2; do
    for cache in "" "--cache kernels=4,spaces=8,threads=16,mappings=256" \
                 "--cache kernels=2,spaces=3,threads=4,mappings=64"; do
        for placement in stay cells; do
            tunnel --smp $smp $cache -- mp3d $small policy=$placement threads=$smp > "$TMP/got"
            diff "$TMP/expected" "$TMP/got" || fail "$smp processors, $cache, policy=$placement"
        done
    done
done

# More workers than processors and thread descriptors.
tunnel --smp 2 --cache kernels=2,spaces=3,threads=4,mappings=64 -- mp3d $small threads=7 > "$TMP/got"
diff "$TMP/expected" "$TMP/got" || fail "seven workers"

# Words from a file of the boot archive; later words count.
printf '# a small tunnel\n%s\nseed=3 # not this one\n' "$small" > "$TMP/tunnel"
tunnel --add "$TMP/tunnel:/etc/tunnel" -- mp3d input=/etc/tunnel seed=9 > "$TMP/got"
diff "$TMP/expected" "$TMP/got" || fail "words from a file"

# Locality saves TLB misses, and mapping loads when there are fewer mappings than pages.
"$tools/mp3d" --build "$BUILD" --particles 16384 --steps 1 --mappings 0,64 > "$TMP/table"
cat "$TMP/table"
number() {                               # MAPPINGS PLACEMENT COLUMN
    awk -v m="$1" -v p="$2" -v c="$3" '$1 == m && $2 == p { print $c }' "$TMP/table"
}
stay=$(number 64 stay 4)
cells=$(number 64 cells 4)
((stay > 5 * cells)) || fail "mapping loads: $stay and $cells"
awk -v a="$(number default stay 5)" -v b="$(number default cells 5)" 'BEGIN { exit !(a > 10 * b && b > 0) }' ||
    fail "TLB misses"

# A TLB that holds everything misses each page once at most.
"$tools/mp3d" --build "$BUILD" --particles 16384 --steps 1 --mappings 0 --tlb 65536,4 > "$TMP/table"
for placement in stay cells; do
    awk -v m="$(number default $placement 5)" -v p="$(number default $placement 3)" \
        'BEGIN { exit !(m * 16384 > p / 2 && m * 16384 < p + 10) }' || fail "a TLB for everything: $placement"
done

# What cannot be: a word that is none, a file that is not there, less memory than particles.
for words in policy=both input=/nothing "particles=9 grid=5x5x5"; do
    ! tunnel -- mp3d $words > "$TMP/got" || fail "accepted: $words"
    [[ ! -s $TMP/got ]] || fail "printed something: $words"
done
echo 'kernel mp3d memory=4M console args="particles=262144 grid=64x32x32"' > "$TMP/policy"
echo 'primary mp3d' >> "$TMP/policy"
status=0
"$QUOIN" run --timeout 60 --policy "$TMP/policy" -- mp3d policy=stay < /dev/null > "$TMP/got" || status=$?
((status == 137)) || fail "too little memory: status $status"
