# streams.sh - stdin, stdout and stderr are three streams, carried byte for byte.
# test: timeout=180
head -c 200000 /dev/urandom > bytes
printf '\377\377E\377W\000' >> bytes
"$QUOIN" run --timeout 150 -- cat < bytes > back
cmp bytes back
"$QUOIN" run --timeout 60 -- sh -c 'echo out; echo err >&2' > out 2> err < /dev/null
[[ $(cat out) == out && $(cat err) == err ]]

# A reader that goes away ends everything, as it would end a program.
set +o pipefail
"$QUOIN" run --timeout 60 -- yes < /dev/null | head -2 > out
[[ $(cat out) == $'y\ny' ]]
