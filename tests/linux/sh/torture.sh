# torture.sh - many short processes, deep pipes and many files, as a build would make them.
# test: smp=1,4 cache=default,tiny timeout=240
cd "$(mktemp -d ./workXXXXXX)" || exit 1
i=0; while [ $i -lt 150 ]; do /bin/sh -c "echo $i" > out.$i; i=$((i + 1)); done; cat out.* | awk '{ s += $1 } END { print NR, s }'
cat out.0 | cat | cat | cat | cat | cat | cat | cat | cat | cat | cat | cat | cat | cat | cat | cat
for i in 1 2 3 4 5 6 7 8; do (for k in 1 2 3 4 5 6 7 8; do sh -c "exit $k" || echo "$i.$k"; done) & done | sort | md5sum; wait
for i in $(seq 1 60); do (sleep 0.5) & done; wait; echo all slept
mkdir tree; for a in 1 2 3 4 5 6; do for b in 1 2 3 4 5 6; do mkdir -p tree/$a/$b; echo "$a $b" > tree/$a/$b/file; done; done
find tree -type f | xargs cat | sort | md5sum; find tree -type f -exec sh -c 'cat "$1"' x {} \; | wc -l; rm -r tree; ls
n=0; while [ $n -lt 40 ]; do v=$(echo $(echo $n)); n=$((v + 1)); done; echo $n
seq 1 3000 | while read -r x; do [ $((x % 1000)) = 0 ] && echo $x; done
