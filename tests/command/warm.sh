# warm.sh - with everything built, a run takes less than two seconds of wall time.  Not each: the host is busy at times.
# test: timeout=120
best=1000000
for _ in $(seq 15); do
    start=${EPOCHREALTIME/./}
    "$QUOIN" run --timeout 60 -- /bin/true < /dev/null
    took=$((${EPOCHREALTIME/./} - start))
    ((took < best)) && best=$took
    ((best < 2000000)) && break
done
echo "best: $best us"
((best < 2000000))
