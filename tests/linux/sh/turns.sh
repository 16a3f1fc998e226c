# What a machine full of work prints while its kernels take turns: the same as one that has all the time.
# Two UNIX emulators run this, and a third kernel computes; each is in for 20 ms, then swapped out.
# test: smp=1,2,4 cache=default,tiny policy=turns.policy icount=yes timeout=200
work() {
    (trap 'echo alarmed > signalled' USR1; until [ -e signalled ]; do sleep 0.1; done; cat signalled) &
    sleeper=$!
    i=0
    while [ $i -lt 10 ]; do
        seq 1 200 | sort -r | while read -r n; do echo "$n"; done | tail -n 1
        sleep 0.03
        (exit $i) || echo "ended with $?"
        i=$((i + 1))
    done
    mkfifo fifo
    cat < fifo | sed 's/^/through a pipe: /' &
    for word in one two three; do
        sleep 0.025
        echo "$word"
    done > fifo
    wait $!
    kill -USR1 $sleeper
    wait $sleeper
    echo "$(seq 1 300 | md5sum)"
    rm -f fifo signalled
}

work > first
work > second
cat first
# Somebody without a console tells by his status.
cmp first second && [ "$(tail -n 1 first)" = "$(seq 1 300 | md5sum)" ]
