# iso_uefi.sh - the disk for PCs boots under UEFI (OVMF), on two processors.
# test: timeout=240
"$QUOIN" image "$TMP/quoin.iso" -- busybox sh -c 'echo booted from a disk; exit 9'
status=0
"$TOOLS/run" --build "$BUILD" --timeout 200 --smp 2 --machine uefi --iso "$TMP/quoin.iso" > out < /dev/null || status=$?
grep -q 'booted from a disk' out
[[ $status == 9 ]]
