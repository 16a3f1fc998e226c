# icount.sh - two runs that count instructions print the same, to the last number.
# test: timeout=180
for n in 1 2; do
    "$QUOIN" run --icount --timeout 80 -- sh -c 'cat /proc/uptime; date +%s' < /dev/null > "out$n"
done
[[ -s out1 ]]
cmp out1 out2
