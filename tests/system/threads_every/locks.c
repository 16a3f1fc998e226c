// locks.c - which lock an instruction takes.
//
// The library takes its locks by LOCK BTS of bit 0 (guard.h).  Who is stopped before one finds the lock taken, the
// first time: as by another processor that came first.
#include "every.h"

enum { LOCK = 0xf0, REX = 0x40, ESCAPE = 0x0f, BIT_IMMEDIATE = 0xba, BTS = 5, NO_BASE = 5, NO_INDEX = 4, HAS_SIB = 4 };

static uint64_t read(const struct frame *f, unsigned number)
{
    const uint64_t general[16] = {f->rax, f->rcx, f->rdx, f->rbx, f->rsp, f->rbp, f->rsi, f->rdi,
                                  f->r8,  f->r9,  f->r10, f->r11, f->r12, f->r13, f->r14, f->r15};

    return general[number];
}
static int64_t displacement(const uint8_t *at, unsigned bytes)
{
    return bytes == 1 ? (int8_t)at[0] :
           bytes == 4 ? (int32_t)(at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24) : 0;
}
uint32_t *lock_taken(const struct instruction *p, const struct frame *f)
{
    uint8_t code[LONGEST];
    unsigned n = 1, rex = 0;

    for (unsigned i = 0; i < LONGEST; i++) {
        code[i] = place_code(p, i);
    }
    if ((code[n] & 0xf0) == REX) {
        rex = code[n++];
    }
    if (code[0] != LOCK || code[n] != ESCAPE || code[n + 1] != BIT_IMMEDIATE || (code[n + 2] >> 3 & 7) != BTS) {
        return NULL;
    }
    unsigned modrm = code[n + 2], mode = modrm >> 6, base = modrm & 7, sib = 0;
    bool has_sib = base == HAS_SIB && mode != 3;
    n += 3;
    if (has_sib) {
        sib = code[n++];
        base = sib & 7;
    }
    bool none = mode == 0 && base == NO_BASE;
    unsigned bytes = mode == 1 ? 1 : mode == 2 || none ? 4 : 0;
    uint64_t at = (uint64_t)displacement(code + n, bytes);
    if (!none) {
        at += read(f, base | (rex & 1) << 3);
    } else if (!has_sib) {
        at += f->rip + n + bytes + 1;                // relative to the next instruction
    }
    unsigned index = (sib >> 3 & 7) | (rex & 2) << 2;
    if (has_sib && index != NO_INDEX) {
        at += read(f, index) << (sib >> 6);
    }
    return mode != 3 ? (uint32_t *)at : NULL;
}
