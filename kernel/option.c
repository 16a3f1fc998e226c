// option.c - the boot command line.
#include "option.h"

#include "base.h"

static const char *find(const char *at, const char *name)
{
    size_t n = strlen(name);

    while (at != NULL && *at != 0) {
        while (*at == ' ') {
            at++;
        }
        if (strncmp(at, name, n) == 0 && at[n] == '=') {
            return at + n + 1;
        }
        at = strchr(at, ' ');
    }
    return NULL;
}

bool option_number(const char *cmdline, const char *name, uint64_t otherwise, uint64_t *value)
{
    const char *at = find(cmdline, name);
    uint64_t n = 0;
    unsigned digits = 0;

    *value = otherwise;
    if (at == NULL) {
        return true;
    }
    for (; *at >= '0' && *at <= '9'; at++) {
        n = n * 10 + (uint64_t)(*at - '0');
        digits++;
    }
    *value = n;
    return digits > 0 && digits < 16 && (*at == ' ' || *at == 0);
}
