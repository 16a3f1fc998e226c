# lost.sh - memory that fails, told by machine checks of the emulator: see tests/system/consistency.
# test: timeout=240
#
# For each line "# lose CPU ADDRESS USED" the machine gets a machine check on that processor: USED 0 is an error that
# the memory's patrol found, 1 one that the running instruction met, 2 one that cannot be contained.
cat > machine.py <<'END'
import socket, subprocess, sys
tools, build, smp, log, args = sys.argv[1:]
open('policy', 'w').write('kernel consistency memory=8M priority=16 console args="%s"\n' % args)
run = subprocess.Popen([tools + '/run', '--build', build, '--smp', smp, '--policy', 'policy', '--log', log,
                        '--monitor', 'monitor', '--timeout', '100'],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
monitor = None
for line in run.stdout:
    sys.stdout.write(line)
    if line.startswith('# lose '):
        cpu, address, used = line.split()[2:]
        if monitor is None:
            monitor = socket.socket(socket.AF_UNIX)
            monitor.connect('monitor')
        status = {'0': 0xbd000000000000c0, '1': 0xbd80000000000134, '2': 0xb500000000000000}[used]
        globally = 7 if used == '1' else 5
        monitor.sendall(b'mce %d 9 %d %d 0x%s 0x8c\n' % (int(cpu), status, globally, address.encode()))
sys.exit(run.wait())
END
python() { python3 machine.py "$TOOLS" "$BUILD" "$@"; }
for smp in 1 2 4; do
    python $smp log$smp lost > out
    cat out
    [[ $(grep -c '^ok ' out) -ge 15 ]] && ! grep -q '^not ok' out
    [[ $(grep -c 'the memory at .* has failed' log$smp) == 2 ]]
    grep -q 'has failed, 1 mappings' log$smp
done
# What cannot be contained ends the machine, with a reason.
status=0
python 2 log 'lost fatal' > out || status=$?
cat out
[[ $status == 125 ]]
grep -q 'panic: machine check: it has no address' log
