# wild-minute.sh - the wild programs of tests/linux/wild.c for a whole minute, on four processors and small caches.
# test: timeout=300 label=long
"$QUOIN" run --smp 4 --timeout 240 --add "$BUILD/tests/linux/wild:/wild" -- /wild 60 7 6 | grep 'always the same'
"$QUOIN" run --smp 2 --timeout 240 --cache kernels=4,spaces=8,threads=16,mappings=256 \
    --add "$BUILD/tests/linux/wild:/wild" -- /wild 20 11 6 | grep 'always the same'
