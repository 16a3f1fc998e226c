# language.sh - the shell's own language: loops, functions, quoting, here-documents, traps, jobs, arithmetic.
# test: smp=1,4 cache=default,tiny timeout=120
set -u
cd "$(mktemp -d ./workXXXXXX)" || exit 1

echo "== loops"
for i in 1 2 3; do echo $i; done | wc -l
i=0; while [ $i -lt 5 ]; do i=$((i + 1)); [ $i = 3 ] && continue; [ $i = 5 ] && break; echo "at $i"; done
until [ $i -le 0 ]; do i=$((i - 2)); done; echo "left $i"
for w in "a b" c 'd  e'; do echo "[$w]"; done
n=0; for i in $(seq 1 200); do n=$((n + i)); done; echo "sum $n"

echo "== functions"
twice() { echo "$1$1"; return 4; }
twice ab; echo "status $?"
fact() { if [ "$1" -le 1 ]; then echo 1; else echo $(($1 * $(fact $(($1 - 1))))); fi; }
fact 10
local_test() { local v=inner; echo "$v"; }
v=outer; local_test; echo "$v"

echo "== words"
set -- one "two words" three
echo $# "$2"; shift; echo "$*"; echo "$@"
x=/a/b/file.tar.gz
echo "${x##*/} ${x%.*} ${x%%.*} ${#x} ${y:-default} ${x:+set}"
echo 'single $x' "double $x" \$x
IFS=:; set -- $(echo a:b:c); echo $#; unset IFS
touch f1 f2 g1; echo f* [fg]1 none*
case "$x" in *.zip) echo zip;; *.gz) echo gz;; esac
case abc in a?c) echo match;; *) echo no;; esac

echo "== arithmetic"
echo $((7 / 2)) $((7 % 3)) $((-7 / 2)) $((1 << 10)) $((0x1f)) $((5 > 3 && 2 > 3)) $(((1 + 2) * 3))
a=5; echo $((a += 3)) $((a++)) $a $((a > 8 ? 1 : 2))
echo $((9223372036854775807)) $((1 ? 2 : 3))

echo "== redirection"
cat <<DOC
here $a and $(echo substituted)
DOC
cat <<'DOC'
not $a here
DOC
cat <<-DOC
	tabs gone
	DOC
echo first > out; echo second >> out; cat < out
{ echo to-out; echo to-err >&2; } 2> err > out; cat out err
ls /no/such/file > /dev/null 2>&1; echo "status $?"
exec 5> five; echo through five >&5; exec 5>&-; cat five
(echo in subshell; exit 7); echo "status $?"
echo piped | { read -r line; echo "got $line"; }
echo a b c | while read -r p q; do echo "$q $p"; done
: > empty; [ -s empty ] || echo empty

echo "== status"
true && echo and; false || echo or; ! false && echo not
false | true; echo "last of pipe $?"
sh -c 'exit 42'; echo $?
sh -c 'kill -9 $$'; echo $?
sh -c 'kill -TERM $$' 2>/dev/null; echo $?
nosuchcommand 2>/dev/null; echo $?
echo text > notexec; ./notexec 2>/dev/null; echo $?
(set -e; false; echo not reached); echo $?

echo "== traps"
(trap 'echo leaving' EXIT; echo working)
sh -c 'trap "echo caught" USR1; kill -USR1 $$; echo after'
sh -c 'trap "" TERM; kill -TERM $$; echo survived'
sh -c 'trap "echo bye; exit 3" INT; kill -INT $$; echo not reached'; echo $?

echo "== jobs"
sleep 0.1 & wait $!; echo "waited $?"
(exit 9) & wait $!; echo "waited $?"
for i in 1 2 3 4 5; do (echo $i > job$i) & done; wait; cat job?
sleep 100 & p=$!; kill $p; wait $p 2>/dev/null; echo "killed $?"
sleep 0.2 & p=$!; kill -STOP $p; kill -CONT $p; wait $p; echo "continued $?"
(until [ -e early ]; do sleep 0.1; done; echo late) & echo early; > early; wait

echo "== substitution"
echo "nested $(echo $(echo $(echo deep)))"
echo `echo back ticks`
v=$(printf 'line1\nline2\n\n'); echo "$v" | wc -l
big=$(seq 1 5000); echo "${#big}"
echo "$(cat <<DOC
inside
DOC
)"

echo "== tests"
[ -d . ] && echo d; [ -e none ] || echo none; [ f1 -nt f1 ] || echo same; [ -n "" ] || echo empty
[ 10 -gt 9 ] && echo gt; [ abc = abc ] && echo eq; [ -x /bin/sh ] && echo x
test -L /proc/self/exe && echo link
printf '%05d|%-5s|%x|%c|%s\n' 42 ab 255 xyz end
printf '%s-' 1 2 3; echo
eval 'e=evaluated'; echo $e
echo "${PWD##*/}" | wc -c | { read -r n; [ "$n" -gt 3 ] && echo cwd; }
getopt_test() { while getopts ab:c o; do echo "$o ${OPTARG:-}"; done; }
getopt_test -a -b value -c
umask; umask 077; umask
