# native.sh - programs of the kernel native that cannot run, or may not go on: the user is told why.
# test: timeout=120
# expect STATUS LINE [WORD ...]: what comes of these words.
expect() {
    local wanted=$1 line=$2 status=0
    shift 2
    "$TOOLS/run" --build "$BUILD" --timeout 60 --policy "$TOOLS/policy/native" \
        --add "$BUILD/programs/native_test:/bin/native_test" -- native "$@" > out 2> err < /dev/null || status=$?
    [[ $status == "$wanted" ]] || { echo "status $status, not $wanted: $*"; cat out err; exit 1; }
    grep -q "^native: $line" err || { echo "not told why: $*"; cat out err; exit 1; }
}
expect 2 'there is no file bin/nosuch$' nosuch
expect 2 'not understood: schedule=activation$' schedule=activation native_test
expect 2 'not understood: priority=99$' priority=99 native_test
expect 139 'native_test may not touch [0-9a-f]*: rip [0-9a-f]*, error [0-9a-f]*$' native_test crash
expect 2 'native_test has no note that says how it runs on activations$' schedule=activations native_test
