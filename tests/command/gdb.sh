# gdb.sh - --gdb holds the machine; gdb stops it at a function of the supervisor and lets it go on.
# test: timeout=240
"$TOOLS/run" --build "$BUILD" --gdb -- sh -c 'exit 5' < /dev/null 2> err &
launcher=$!
trap 'kill $launcher 2>/dev/null || true' EXIT
for _ in $(seq 600); do
    grep -q 'target remote' err && break
    sleep 0.1
done
port=$(sed -n 's/.*target remote :\([0-9]*\).*/\1/p' err)
timeout 100 gdb -q -batch -d "$(dirname "$TOOLS")" -ex 'set tcp connect-timeout 60' -ex 'set remotetimeout 60' \
    -ex "target remote :$port" -x "$TOOLS/gdb" -ex 'hbreak kernel_boot' -ex continue -ex backtrace \
    -ex 'quoin-symbols srm' -ex 'info threads' -ex delete -ex detach "$BUILD/quoin.elf" > out 2>&1 ||
    { cat out; exit 1; }
cat out
grep -q 'kernel_boot (' out
grep -q 'symbols of .*srm.elf' out
status=0
wait $launcher || status=$?
[[ $status == 5 ]]
