# iso_bios.sh - the disk for PCs boots under a BIOS (SeaBIOS).
# test: timeout=120
"$QUOIN" image "$TMP/quoin.iso" -- busybox sh -c 'echo booted from a disk; exit 9'
status=0
"$TOOLS/run" --build "$BUILD" --timeout 90 --machine bios --iso "$TMP/quoin.iso" > out < /dev/null || status=$?
grep -q 'booted from a disk' out
[[ $status == 9 ]]
