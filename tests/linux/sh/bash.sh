# bash.sh - what bash can do beyond sh: arrays, patterns, process substitution, coprocesses, traps, job control.
# test: smp=1,4 cache=default,tiny shell=bash timeout=120
cd "$(mktemp -d ./workXXXXXX)" || exit 1

echo "== arrays"
a=(one "two words" three); echo "${#a[@]} ${a[1]} ${a[@]:1:2} ${!a[@]}"
a+=(four); unset 'a[0]'; echo "${!a[@]}"; for x in "${a[@]}"; do echo "[$x]"; done
declare -A m=([k1]=v1 [k2]=v2); echo "${m[k1]} ${#m[@]}"; for k in $(printf '%s\n' "${!m[@]}" | sort); do echo "$k=${m[$k]}"; done
mapfile -t lines < <(printf 'l1\nl2\nl3\n'); echo "${#lines[@]} ${lines[2]}"
read -r -a words <<< "here string words"; echo "${words[1]}"

echo "== strings"
s="Hello World"; echo "${s/World/There} ${s//o/0} ${s:6:3} ${s^^} ${s,,} ${s: -3}"
[[ $s == Hello* ]] && echo glob; [[ $s =~ ([A-Z])o(r) ]] && echo "${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"
printf -v v '%03d' 7; echo "$v"; echo {1..5} {a..e} x{1,2}y; echo $'tab\there'
shopt -s extglob
case foobar in foo@(bar|baz)) echo extended;; esac

echo "== arithmetic"
((x = 5, x = x ** 3)); echo $x; for ((i = 0; i < 3; i++)); do echo -n "$i "; done; echo; let y=x*2; echo $y
echo $((16#ff)) $((2#1010)) $((x > 100 ? 1 : 0)); echo $((RANDOM >= 0 && RANDOM < 32768))

echo "== pipes"
diff <(echo a) <(echo b); tee >(cat > copy) <<< teed > /dev/null; until [[ -s copy ]]; do sleep 0.1; done; cat copy
set -o pipefail; false | true; echo $?; set +o pipefail; false | true | false; echo "${PIPESTATUS[@]}"
coproc CAT { cat; }; echo through >&"${CAT[1]}"; read -r line <&"${CAT[0]}"; echo "$line"; eval "exec ${CAT[1]}>&-"; wait
exec 3<> rw; echo data >&3; exec 3>&-; cat rw; { echo e >&2; } 2>&1 | cat; echo both &> b; cat b
while read -r -t 5 l; do echo "line $l"; done < <(seq 1 3); cat <<< "$(seq 1 1000 | tail -n 1)"

echo "== functions and traps"
f() { local -i n=$1; ((n <= 0)) && return 0; echo -n "$n "; f $((n - 1)); }; f 5; echo
(trap 'echo exit $?' EXIT; exit 3); trap 'echo err' ERR; false; trap - ERR; echo after
bash_self=$BASH; "$bash_self" -c 'trap "echo usr" USR1; kill -USR1 $$; echo $BASHPID | grep -c .'
"$bash_self" -c 'set -e; f() { false; echo no; }; f; echo no'; echo $?
"$bash_self" -c 'kill -SEGV $$' 2> /dev/null; echo $?

echo "== jobs"
set -m; sleep 50 & p=$!; jobs -r | sed 's/^.....*Running */Running /; s/ *&$//'
until [[ $(< /proc/$p/comm) == sleep ]]; do :; done; kill $p; wait $p 2> /dev/null; echo $?; set +m
for i in {1..8}; do (exit $i) & pids[i]=$!; done; for i in {1..8}; do wait "${pids[i]}"; echo -n "$? "; done; echo
# Not before it is sleep: bash's child loses a signal that comes just before its exec, on Linux too.
sleep 50 & p=$!; until [[ $(< /proc/$p/comm) == sleep ]]; do :; done; kill $p; wait $p 2> /dev/null; echo $?
wait -n 2> /dev/null; (sleep 0.1; exit 5) & wait -n; echo $?
time_out=$( (sleep 5; echo no) & p=$!; kill $p; wait $p 2> /dev/null; echo $?); echo "$time_out"

echo "== files"
echo x > f; [[ -f f && -r f && ! -d f ]] && echo file; ln -s f l; [[ -L l ]] && echo link; [[ f -ef l ]] && echo same
shopt -s nullglob dotglob; touch .h; for n in *; do echo -n "$n "; done; echo; shopt -u nullglob
mkdir -p d/e/f; pushd d/e > /dev/null; echo "${PWD##*/}"; popd > /dev/null; cd - > /dev/null; cd ~ && echo "${PWD}" | grep -c /
printf '%s\n' b a c | sort | while read -r z; do echo -n "$z"; done; echo
select_in=$(printf '2\n'); case $select_in in 2) echo two;; esac; type -t cd; command -v printf; hash -r; echo "${BASH_VERSINFO[0]}"
ulimit -n > /dev/null && echo limits; umask 027; umask -S; times > /dev/null && echo times; echo "$UID $EUID $((PPID > 0)) $SHLVL" | grep -c .
exec > final; echo to file; exec 1>&2; exit 6
