# leaks.sh - what programs used comes back: free memory after many rounds is what it was after the first.
# test: smp=1,4 cache=default,tiny host=no timeout=240
#
# Only meaningful where nobody else uses memory, so it is not compared with the host.
cd "$(mktemp -d ./workXXXXXX)" || exit 1

free_kib() {
    awk '$1 == "MemFree:" { print $2 }' /proc/meminfo
}

round() {
    for i in 1 2 3 4 5 6 7 8; do
        sh -c 'exit 3'
        (exit 4)
        echo data | cat | cat > /dev/null
        sh -c 'kill -SEGV $$' 2> /dev/null
        sleep 0.01 & wait
        seq 1 2000 > big; cp big copy; mv copy moved; ln moved hard; ln -s moved soft; rm big moved hard soft
        mkdir -p d/e/f; touch d/e/f/g; rm -r d
        exec 5> held; rm held; echo x >&5; exec 5>&-
        dd if=/dev/zero of=file bs=64k count=16 2> /dev/null; : > file; rm file
        mkfifo p; (echo x > p) & cat p > /dev/null; wait; rm p
    done
}

processes() {
    set -- /proc/[0-9]*          # not in a pipe: whether its other end is there yet is a matter of chance
    echo $#
}

round; round
had=$(processes)
before=$(free_kib)
n=0; while [ $n -lt 6 ]; do round; n=$((n + 1)); done
after=$(free_kib)
lost=$((before - after))
if [ "$lost" -le 256 ]; then echo "nothing lost"; else echo "lost $lost KiB"; fi
ls
[ "$(processes)" = "$had" ] && echo "no process is left over"
