// signal.h - signals, between signal.c, deliver.c and the calls.
#pragma once
#include "task.h"

struct sig_entry {
    struct sig_entry *next;
    struct linux_siginfo info;
};

enum default_action { DEFAULT_END, DEFAULT_CORE, DEFAULT_IGNORE, DEFAULT_STOP };

enum default_action signal_default(int signal);
void process_stop(struct process *p, int signal);
bool signal_group_orphaned(int pgid);
