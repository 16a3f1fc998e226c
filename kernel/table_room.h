// table_room.h - replacement of page tables.
#pragma once
#include "names.h"

// One bounded step of making a table free for k.  ERR_OK: one table more is free; ERR_RESTART: not yet; ERR_AGAIN: none
// that was looked at may go.
err_t table_room(struct cpu *cpu, const struct appkernel *k);
