# warm.sh - with everything built, a run takes less than two seconds of wall time (the best of three).
# test: timeout=120
best=1000000
for _ in 1 2 3; do
    start=${EPOCHREALTIME/./}
    "$QUOIN" run --timeout 60 -- /bin/true < /dev/null
    took=$((${EPOCHREALTIME/./} - start))
    ((took < best)) && best=$took
done
echo "best: $best us"
((best < 2000000))
