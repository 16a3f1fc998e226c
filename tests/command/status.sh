# status.sh - the exit status of the program, of a signal, of a time-out, and of a program that is not there.
# test: timeout=120
run() {
    status=0
    "$QUOIN" run --timeout 60 "$@" >out 2>err </dev/null || status=$?
}
expect() {
    [[ $status == "$1" ]] || { echo "status $status, not $1"; cat err; exit 1; }
}
run -- /bin/true
expect 0
[[ ! -s out && ! -s err ]] || { echo "not silent"; cat out err; exit 1; }
run -- /bin/false
expect 1
run -- busybox sh -c 'exit 37'
expect 37
run -- busybox sh -c 'kill -9 $$'
expect 137
run -- busybox sh -c 'kill -SEGV $$'
expect 139
run -- /no/such/program
expect 127
grep -q 'cannot run /no/such/program: it does not exist' err || { echo "no reason"; cat err; exit 1; }
run -- no-such-program
expect 127
grep -q 'cannot run no-such-program: it does not exist' err || { echo "no reason"; cat err; exit 1; }
run -- /etc
expect 126
grep -q 'cannot run /etc: it is refused' err || { echo "no reason"; cat err; exit 1; }
run --timeout 3 -- busybox sleep 100
expect 124
grep -q 'ended after 3 s' err
