# gdb_threads.sh - gdb lists the user-level threads of a program, each with its state and the names of the functions on
# its stack: in a machine that it holds, and in a dump of one that was ended.
# test: timeout=600
program=debugged
options=(--build "$BUILD" --smp 2 --policy "$TOOLS/policy/native" --add "$BUILD/programs/$program:/bin/$program")
words=(-- native schedule=activations $program)
gdb=(timeout 200 gdb -q -batch -d "$(dirname "$TOOLS")")
trap 'kill $launcher 2>/dev/null || true' EXIT

cat > check.py <<'END'
import re, sys
EXPECTED = (                                     # a function, a state; in the file's order
    ('wait_mutex', 'thread wait_mutex, priority 20, waiting for mutex held of thread 0x[0-9a-f]+$'),
    ('wait_condition', 'thread wait_condition, priority 20, waiting for condition happens$'),
    ('wait_semaphore', 'thread wait_semaphore, priority 20, waiting for semaphore nothing$'),
    ('wait_join', 'thread wait_join, priority 20, waiting for the end of thread 0x[0-9a-f]+$'),
    ('wait_moment', 'thread wait_moment, priority 20, asleep, until [0-9]+ at most$'),
    ('wait_unblock', 'thread wait_unblock, priority 20, waiting for an unblock$'),
    ('wait_kernel', 'thread wait_kernel, priority 20, blocked in the kernel$'),
    ('wait_job', 'thread wait_job, priority 20, waiting for an unblock$'),
    ('job_waits', 'worker of jobs, priority 16, parked, waiting for an unblock$'),
    (None, 'task task_waits, waiting$'),
    ('run_on', 'thread run_on, priority 21, running on processor [01](, in the kernel)?$'),
    ('threads_start', 'thread be_ready, priority 1, ready, on the list of processor [01]$'),
    ('hold_and_fault', 'thread threads_native_first, priority 16, in slot [0-9]+ of an upcall that is not through$'),
    ('look_here|event', 'upcall handler, priority 31, running on processor [01](, in the kernel)?$'),
    (None, 'thread ended, priority 20, ended, and can be joined$'),
)


def check(text):
    threads = re.findall(r'^Thread (?:[0-9.]+|-)  (0x[0-9a-f]+)  (.*)\n((?:#.*\n)*)', text, re.M)
    failures = [] if len(threads) == len(EXPECTED) else ['%d threads' % len(threads)]
    used = {}
    for function, state in EXPECTED:
        found = [(at, head) for at, head, stack in threads if re.match(state, head) and
                 (function is None or re.search(r'^#[0-9]+ .*\b(%s) \(' % function, stack, re.M))]
        if len(found) != 1:
            failures.append('%s: %s: %d' % (function, state, len(found)))
        used[function] = (found + [('', '')])[0]
    processors = [re.search('on processor ([01])', head)[1] for _, head, _ in threads if ', running' in head]
    if sorted(processors) != ['0', '1']:
        failures.append('on processors: %s' % processors)
    for function, of in (('wait_mutex', 'hold_and_fault'), ('wait_join', 'run_on')):
        if not used[function][1].endswith('of thread ' + used[of][0]):
            failures.append('%s: not that of %s' % (function, of))
    for at, head, stack in threads:
        if stack and not re.search(r'\b(threads_start|threads_handler|package_start) \(.*\n$', stack):
            failures.append('the stack does not end where it began: ' + head)
    return failures


text = sys.stdin.read()
lists = text.split('1 programs with user-level threads\n')[1:]
failures = [] if len(lists) == int(sys.argv[1]) else ['%d lists' % len(lists)]
if len(set(re.findall(' ([0-9]+) upcalls so far', text))) != 1:
    failures.append('upcalls come of being looked at')
for part in lists:
    failures += check(part)
print('\n'.join(failures) or 'all threads are there')
sys.exit(bool(failures))
END

# Live: gdb stops the machine in the handler, twice.
"$TOOLS/run" "${options[@]}" --gdb "${words[@]}" < /dev/null > out 2> err &
launcher=$!
touch err
for _ in $(seq 600); do
    grep -q 'target remote' err && break
    sleep 0.1
done
port=$(sed -n 's/.*target remote :\([0-9]*\).*/\1/p' err)
at=$(nm "$BUILD/debug/$program.elf" | awk '$3 == "look_here" { print $1 }')
"${gdb[@]}" -ex 'set tcp connect-timeout 100' -ex 'set remotetimeout 100' -ex "target remote :$port" -x "$TOOLS/gdb" \
    -ex "hbreak *0x$at" -ex continue -ex "quoin-threads $program" -ex 'info threads' -ex continue \
    -ex quoin-threads -ex delete -ex kill "$BUILD/quoin.elf" > live 2>&1 ||
    { cat live; exit 1; }
wait $launcher || true
cat live
python3 check.py 2 < live

# dump OUTPUT SECONDS [OPTION...]: what gdb says of a dump of it, so long after it has said that it comes to rest.
dump() {
    local output=$1 seconds=$2
    shift 2
    rm -f memory out
    "$TOOLS/run" "${options[@]}" "$@" --dump memory "${words[@]}" < /dev/null > out 2> err &
    launcher=$!
    touch out
    for _ in $(seq 600); do
        grep -q 'all are where' out && break
        sleep 0.1
    done
    sleep "$seconds"
    kill $launcher
    wait $launcher || true
    cat err
    "${gdb[@]}" -x "$TOOLS/gdb" -ex quoin-threads "$BUILD/quoin.elf" memory > "$output" 2>&1 || { cat "$output"; exit 1; }
    cat "$output"
}
for seconds in 3 10 30; do               # longer on a slow host
    dump dumped $seconds
    if python3 check.py 1 < dumped; then
        break
    elif ((seconds == 30)); then
        exit 1
    fi
done

# With so few mappings some of its pages are never there, which ones is not known: that is said, and what can be seen is
# shown.
dump partly 3 --cache mappings=32
grep -q '^1 programs' partly
grep -q 'not mapped' partly
grep -Eq '^Thread (2[.][0-9]+|-)  0x' partly
! grep -E 'Exception|Traceback' partly
