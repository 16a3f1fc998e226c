# verbose.sh - --verbose shows the machine's command line and the log, which is kept in any case.
# test: timeout=60
"$QUOIN" run --verbose --timeout 50 -- /bin/true < /dev/null 2> err
grep -q '^qemu-system-x86_64 .*-accel tcg' err
grep -q 'quoin: power off, status 0' err
"$QUOIN" run --timeout 50 -- sh -c 'exit 4' < /dev/null || [[ $? == 4 ]]
grep -q 'quoin: power off, status 4' "$BUILD/log/last.log"
