# arguments.sh - every argument of every call, wrong, from the first kernel: tests/system/arguments says how.
# test: timeout=60
"$QUOIN" run --timeout 50 --first arguments < /dev/null > out || { grep '^not ok' out; exit 1; }
grep -q '^ok each call has a row' out
