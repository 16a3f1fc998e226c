# terminal.sh - a user at a terminal: prompt, echo, ^C, ^Z, ^D, window size, and the terminal as it was afterwards.
# test: timeout=240
/usr/bin/python3 "$(dirname "$QUOIN")/tests/linux/terminal.py" "$QUOIN"
