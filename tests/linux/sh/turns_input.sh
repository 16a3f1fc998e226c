# Input that comes while the emulator is swapped out, and after: no byte is lost, and the reader is woken.
# test: smp=1,2 cache=default,tiny policy=turns_input.policy stdin=turns_input.txt icount=yes timeout=60
lines=0
while read -r line; do
    lines=$((lines + 1))
    [ "$line" = "line $lines of the input" ] || echo "line $lines is: $line"
    [ $((lines % 25)) -ne 0 ] || echo "$line"
done
echo "$lines lines"
