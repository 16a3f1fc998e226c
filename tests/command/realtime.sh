# The real-time kernel: no deadline is missed as first kernel, nor as second beside a rogue kernel and a UNIX load, on 1,
# 2 and 4 processors; and misses are seen where they must come.  Instructions are counted, so every run is the same.
# test: timeout=1200
root=$(dirname "$QUOIN")
inputs=$root/appkernels/realtime

fail() {
    echo "$1" >&2
    exit 1
}

realtime() {                             # INPUT STATUS OPTIONS: leaves what was printed in $TMP/out
    local status=0
    "$QUOIN" run --icount --timeout 150 --add "$1:/etc/tasks" "${@:3}" < /dev/null > "$TMP/out" || status=$?
    cat "$TMP/out"
    ((status == $2)) || fail "${*:3}: status $status, not $2"
}

number() {                               # FIRST-WORDS KEY
    awk -v first="$1" -v key="$2" 'index($0, first " ") == 1 { for (i = 1; i < NF; i++) if ($i == key) print $(i + 1) }' \
        "$TMP/out"
}

expect() {                               # WHERE KEY OPERATOR VALUE
    local got
    got=$(number "$1" "$2")
    [[ -n $got ]] && ((got $3 $4)) || fail "$1: $2 is '$got', not $3 $4"
}

sed 's/^run .*/run 200000/' "$inputs/tasks" > "$TMP/tasks"
sed 's/^run .*/run 200000/' "$inputs/overload" > "$TMP/overload"
load=(sh -c 'while :; do /bin/true; done')
policy() {                               # PRIORITY
    echo "kernel realtime memory=8M priority=$1 spaces=1 threads=16 mappings=32 console"
    echo "kernel rogue memory=8M priority=20 share=60"
    echo "kernel unix memory=rest priority=16 share=100 console"
    echo "primary realtime"
}
policy 28 > "$TMP/policy"
policy 18 > "$TMP/below"

# As first kernel: every release is served, in its time and within some thousand instructions.
for smp in 1 4; do
    realtime "$TMP/tasks" 0 --first realtime --smp $smp
    expect realtime releases == 74
    expect realtime completions == 74
    expect realtime misses == 0
    expect realtime lost == 0
    expect realtime latency "<" 3000
    expect "task control" releases == 40
    expect "task control" start "<" 5000
    expect "task servo" response "<" 1300000
done

# As second kernel, beside the rogue and a UNIX load, with caches that the rogue can fill.  On one processor the clock is
# the count of its instructions.  Of several the emulator runs one for some time, up to the end of somebody's slice,
# while the clock goes on for all.
beside=(--slice 250 --cache kernels=5,spaces=16,threads=48,mappings=512)
for smp in 1 2 4; do
    realtime "$TMP/tasks" 0 --policy "$TMP/policy" --smp $smp "${beside[@]}" -- "${load[@]}"
    expect realtime completions == 74
    expect realtime misses == 0
    expect realtime lost == 0
    expect realtime latency "<" $((smp == 1 ? 60000 : 4000000))
done

# Below the rogue's priority deadlines are missed: the rogue is one.
realtime "$TMP/tasks" 1 --policy "$TMP/below" -- "${load[@]}"
expect realtime misses ">" 0

# A task that takes longer than it says makes misses, which are counted; every release is accounted for.
realtime "$TMP/overload" 1 --first realtime
expect realtime releases == 74
expect realtime misses ">" 10
expect "task control" misses ">" 10
expect realtime lost == 0

# The shipped policy, beside a UNIX load alone.
realtime "$TMP/tasks" 0 --policy "$root/tools/policy/realtime" -- "${load[@]}"
expect realtime misses == 0

# What cannot be: too much for one processor, but not for two; no task; no right to lock.
printf 'task a 1000 600 1000 0 100\ntask b 1000 600 1000 0 100\nrun 20000\n' > "$TMP/two"
realtime "$TMP/two" 2 --first realtime
grep -q '^realtime: b: no processor has so much time left$' "$TMP/out" || fail "not refused"
realtime "$TMP/two" 0 --first realtime --smp 2
expect "task a" processor == 0
expect "task b" processor == 1
echo 'run 5' > "$TMP/none"
realtime "$TMP/none" 2 --first realtime
sed 's/mappings=32/mappings=3/' "$TMP/policy" > "$TMP/few"
realtime "$TMP/tasks" 2 --policy "$TMP/few" -- "${load[@]}"
grep -q 'may not lock mappings' "$TMP/out" || fail "locked more than it may"
