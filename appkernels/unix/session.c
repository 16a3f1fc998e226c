// session.c - a session and its terminal, when the session's leader ends.
#include "tty.h"

// From here on the terminal belongs to no session.  Gives the group that was in its foreground, or 0.
int session_release_tty(struct session *s);

int session_release_tty(struct session *s)
{
    int foreground = s->tty->pgrp;

    tty_forget(s->tty);
    return foreground;
}
