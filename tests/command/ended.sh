# ended.sh - a kernel ended after every few instructions, where instructions are counted (tests/system/ended).
# test: timeout=180
for cache in "" --cache=kernels=4,spaces=8,threads=16,mappings=256; do
    "$QUOIN" run --icount --slice 10 $cache --timeout 80 --first ended < /dev/null > out
    if ! grep -qE '^# the end was met at ([0-9]+) of \1 steps' out || ! grep -q '^ok ended after every few' out || grep '^not ok' out; then
        exit 1
    fi
done
