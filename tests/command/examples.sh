# examples.sh - the commands that the README shows.
# test: timeout=180
[[ $("$QUOIN" run --timeout 60 -- busybox sh -c 'for i in 1 2 3; do echo $i; done | wc -l' < /dev/null) == 3 ]]

cat > hello.c <<'TEXT'
#include <stdio.h>
int main(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        printf("%s\n", argv[i]);
    }
    return 42;
}
TEXT
musl-gcc -static -O hello.c -o hello
status=0
"$QUOIN" run --timeout 60 --smp 4 --add ./hello -- /hello a b < /dev/null > out || status=$?
[[ $status == 42 && $(tr '\n' ' ' < out) == '/hello a b ' ]]

# The same with hardly any cache.
[[ $("$QUOIN" run --timeout 60 --cache kernels=2,spaces=3,threads=4,mappings=64 -- \
    busybox sh -c 'for i in 1 2 3; do echo $i; done | wc -l' < /dev/null) == 3 ]]

# A shell that reads its commands from a pipe.
[[ $(echo 'echo $((6 * 7)); exit 3' | "$QUOIN" run --timeout 60 || echo "status $?") == $'42\nstatus 3' ]]
