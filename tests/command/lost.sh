# lost.sh - memory that fails, told by machine checks of the emulator.
# test: timeout=300
#
# For each line "# lose CPU ADDRESS USED" (tests/system/consistency) the machine gets a machine check on that processor:
# USED 0 is an error that the memory's patrol found, 1 one that an instruction of the core's other thread met (one of
# this thread's could as well be the supervisor's, which would rightly be the end), 2 one that cannot be contained.
# For a line "# touch ADDRESS" (tests/linux/lost.c) it is the page that the program has there.
cat > machine.py <<'END'
import re, socket, subprocess, sys
tools, build = sys.argv[1:3]
run = subprocess.Popen([tools + '/run', '--build', build, '--monitor', 'monitor', '--timeout', '100'] + sys.argv[3:],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
monitor = None


def say(command):
    """One command; gives the answer, up to the next prompt."""
    global monitor
    if monitor is None:
        monitor = socket.socket(socket.AF_UNIX)
        monitor.connect('monitor')
        answer()
    monitor.sendall(command.encode() + b'\n')
    return answer()


def answer():
    data = b''
    while not data.endswith(b'(qemu) '):
        part = monitor.recv(4096)
        if not part:
            break                            # the machine has ended
        data += part
    return data.decode()


def lose(cpu, address, used):
    status = {'0': 0xbd000000000000c0, '1': 0xbd80000000000134, '2': 0xb500000000000000}[used]
    say('mce %s 9 %d 5 0x%s 0x8c' % (cpu, status, address))


for line in run.stdout:
    sys.stdout.write(line)
    if line.startswith('# lose '):
        lose(*line.split()[2:])
    elif line.startswith('# touch '):
        found = None
        while found is None:                 # at times the processor is somewhere else
            found = re.search('gpa: 0x([0-9a-f]+)', say('gva2gpa 0x' + line.split()[2]))
        lose('0', found[1], '0')
sys.exit(run.wait())
END
run() { python3 machine.py "$TOOLS" "$BUILD" "$@"; }
kernel() { echo "kernel consistency memory=8M priority=16 console args=\"$*\"" > policy; }
kernel lost
for smp in 1 2 4; do
    run --smp $smp --policy policy --log log > out || { cat out; exit 1; }
    cat out
    [[ $(grep -c '^ok ' out) -ge 15 ]] && ! grep -q '^not ok' out
    [[ $(grep -c 'the memory at .* has failed, 1 mappings' log) == 2 ]]
done
# A Linux program.
run --add "$BUILD/tests/linux/lost:/lost" -- /lost memory > out
cat out
grep -q '^SIGBUS, lost memory, at byte 24 of the page' out
grep -q '^now it is 0' out
# What cannot be contained ends the machine, with a reason.
kernel lost fatal
status=0
run --policy policy --log log > out || status=$?
cat out
[[ $status == 125 ]]
grep -q 'panic: machine check: it has no address' log
