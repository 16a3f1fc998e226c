# srm.sh - what srm says and does: mistakes in the policy file, and kernels that end in one way or another.
# test: timeout=240
run() {                                  # run STATUS PATTERN OPTIONS...: the policy comes on stdin
    local expected=$1 pattern=$2 status=0
    shift 2
    cat > policy
    "$TOOLS/run" --build "$BUILD" --policy policy --log log --timeout 100 "$@" -- > out 2> err || status=$?
    if [[ $status != "$expected" ]] || ! grep -q -- "$pattern" log; then
        echo "not ok status $status, not $expected, or no '$pattern' in the log:"
        cat policy log err
        exit 1
    fi
    echo "ok $pattern"
}

run 125 'policy: no kernel is named' < /dev/null
run 125 'policy line 2: unknown word: colonel' <<< $'# two lines\ncolonel x'
run 125 'policy line 1: not a size: memory=lots' <<< 'kernel doomed memory=lots'
run 125 'policy line 1: doomed asks for 8192 MiB' --kernels doomed <<< 'kernel doomed memory=8G'
run 125 'policy line 1: doomed cannot be loaded: .*quota' --kernels doomed <<< 'kernel doomed memory=4M spaces=64'
run 125 'policy line 1: doomed cannot be loaded: .*minimums' --kernels doomed <<< 'kernel doomed memory=4M min_threads=9999'
run 125 'policy line 1: max_mappings is 16 for each processor at least: 32' --kernels doomed --smp 2 \
    <<< 'kernel doomed memory=4M max_mappings=31'
run 125 'policy line 1: a maximum below the minimum: max_spaces=1' --kernels doomed \
    <<< 'kernel doomed memory=4M min_spaces=2 max_spaces=1'
run 125 'policy line 2: not a time, as 500ms, 30s or 2m: each=2' <<< $'kernel doomed memory=4M\nturns each=2 doomed'
run 125 'policy line 3: no line above names this kernel: b' <<< $'kernel doomed memory=4M\n\nend b at=2s'
run 125 'policy line 1: no such kernel: other' <<< $'primary other\nkernel doomed memory=4M'

run 44 'doomed ended with value 300' --kernels doomed <<< 'kernel doomed memory=4M console args="value"'
run 7 'doomed ended with value 7' --kernels doomed --smp 2 <<< 'kernel doomed memory=4M console args="leave"'
run 9 'doomed ended with value 9' --kernels doomed <<< 'kernel doomed memory=4M console args="scribble"'
run 125 'doomed died: a fault with no room' --kernels doomed <<< 'kernel doomed memory=4M console args="text"'
grep -q 'depth 4: rip .*page fault: ran code at .* where nothing is mapped' log
# The others go on when one ends, and the primary one decides the status.
run 0 'doomed ended with value 7' --kernels doomed,victim <<'END'
kernel doomed memory=4M console args="leave"
kernel victim memory=8M console
primary victim
END
grep -q 'victim ended with value 0' log

# Ended by the policy at any step: before its turn, in it, about its end, and after it.  The others go on.
for ms in 11 12 13 17 21 22 23 27; do
    run 0 "at 0.0$ms s: b is ended" --kernels batch --icount <<END
kernel batch memory=4M args="10"
kernel b image=batch memory=4M args="1000"
kernel c image=batch memory=4M args="10"
turns each=10ms batch b c
end b at=${ms}ms
END
    grep -q 'batch ended with value 0' log
    grep -q 'c ended with value 0' log
    if grep -A 99 ' b is ended' log | grep ' b is swapped in'; then
        exit 1
    fi
    grep ' b is ended' log >> ended
done
grep -q 'is ended while it is swapped out' ended
grep -q 'is ended$' ended
