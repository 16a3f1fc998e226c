# options.sh - bad options are refused with a sentence and status 125, and nothing is booted.
refused() {
    local words=$1 status=0
    shift
    "$TOOLS/run" --build "$BUILD" "$@" >out 2>err </dev/null || status=$?
    [[ $status == 125 ]] || { echo "$*: status $status"; return 1; }
    grep -qe "$words" err || { echo "$*: said: $(cat err)"; return 1; }
    [[ ! -s out ]]
}
refused 'unknown option --nothing' --nothing -- true
refused 'is not a number from 1 to 64' --smp 65 -- true
refused 'is not a number from 1 to 64' --smp 0 -- true
refused 'is not a number from 1 to 64' --smp two -- true
refused 'needs N' --smp
refused 'is not a size' --mem 1M -- true
refused 'is not a size' --mem lots -- true
refused 'needs as many processors' --numa 2 -- true
refused 'is not kernels' --cache pages=3 -- true
refused 'is not kernels' --cache spaces=-3 -- true
refused 'is not a folder' --rootfs /no/such -- true
refused 'there is no file' --add /no/such -- true
refused 'there is no file' --add /no/such:/x -- true
refused 'has no name' --add /etc/passwd:. -- true
refused 'is not a number of seconds' --timeout soon -- true
refused 'takes no value' --verbose=yes -- true
refused 'NAME=VALUE' --env x -- true
refused 'No such file' --first nothing-of-the-kind -- true

# Each option has a line of help.
"$QUOIN" run --help > help
for option in smp mem numa rootfs add cache icount timeout gdb verbose slice help; do
    grep -q -- "^  --$option" help
done
"$QUOIN" --help | grep -q 'run '
if "$QUOIN" nothing-of-the-kind 2>/dev/null; then
    exit 1
fi
