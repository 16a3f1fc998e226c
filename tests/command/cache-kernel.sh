# The paper's tables are printed, each number measured, and what must be zero is.
# test: timeout=300
tools=$(dirname "$QUOIN")/tools
"$tools/cache-kernel" --build "$BUILD" > "$TMP/tables"
cat "$TMP/tables"

fail() {
    echo "$1" >&2
    exit 1
}

number() {                               # ROW COLUMN, counted from the end of the row's name
    sed -n "s/^ *$1 *//p" "$TMP/tables" | awk -v c="$2" 'NR == 1 { print $c }'
}

between() {                              # LOW NUMBER HIGH WHAT
    awk -v l="$1" -v n="$2" -v h="$3" 'BEGIN { exit !(n != "" && n >= l && n <= h) }' || fail "$4: $2"
}

# A trap enters and leaves the supervisor twice, and goes from space to space and back; nothing is atomic in it.
between 2 "$(number null_trap 2)" 2.01 "entries of a trap"
between 2 "$(number null_trap 3)" 2.01 "switches of a trap"
between 0 "$(number null_trap 4)" 0 "atomic operations of a trap"
between 100 "$(number null_trap 1)" "$(number 'trap to the application kernel and back' 1)" "a trap's part in ring 0"
# A program calls the kernel that it is linked with as a procedure, and by a trap from a space of its own.
between 1 "$(number 'one program linked with its kernel: a call' 1)" 60 "a call of the program linked"
between 150 "$(number 'and in a space of its own: the same call' 1)" 500 "and in a space of its own"
# One signal to another processor is one interrupt.
between 1 "$(number signal_far_delivery 5)" 1.05 "interrupts sent by a signal"
# Both parts of a fault are the fault.
((($(number 'fault: transfer to the handler' 1)) + ($(number 'fault: load the mapping and return' 1)) ==
    ($(number 'fault, both' 1)))) || fail "parts of a fault"
# A stretch is a part of the call that it is the longest of.
between 100 "$(number mapping_load 7)" "$(number Mappings 1)" "interrupts off while a mapping is loaded"
between 100 "$(number 'reclaim of a full kernel' 1)" 100000 "interrupts off during a reclaim"
between 100 "$(number 'a UNIX load on two processors, small caches' 1)" 100000 "interrupts off under load"
between 100000 "$(number 'boot, up to the first program' 1)" 1000000000 "boot"
between 65000 "$(number 'Reclaim:' 1)" 70000 "objects of a full kernel"
grep -q '^Locked set: 0 of its 14 objects written back while [1-9][0-9]* others were replaced\.' "$TMP/tables" ||
    fail "a locked set"
