// number.c - reading numbers from text.
#include "base.h"

static int digit_value(char c, unsigned base)
{
    int v = c >= '0' && c <= '9' ? c - '0'
          : c >= 'a' && c <= 'f' ? c - 'a' + 10
          : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;

    return v < (int)base ? v : -1;
}

bool base_parse_number(const char **text, uint64_t *value)
{
    const char *at = *text;
    unsigned base = 10;
    uint64_t v = 0;

    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
        base = 16;
        at += 2;
    }
    if (digit_value(*at, base) < 0) {
        return false;
    }
    for (int d; (d = digit_value(*at, base)) >= 0; at++) {
        if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, (uint64_t)d, &v)) {
            return false;
        }
    }
    *text = at;
    *value = v;
    return true;
}

bool base_parse_size(const char **text, uint64_t *value)
{
    const char *at = *text;
    uint64_t v;
    unsigned shift = 0;

    if (!base_parse_number(&at, &v)) {
        return false;
    }
    switch (*at) {
    case 'K': case 'k': shift = 10; break;
    case 'M': case 'm': shift = 20; break;
    case 'G': case 'g': shift = 30; break;
    case 'T': case 't': shift = 40; break;
    default: break;
    }
    if (v << shift >> shift != v) {
        return false;
    }
    *text = at + (shift != 0);
    *value = v << shift;
    return true;
}
