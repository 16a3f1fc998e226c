// option.c - the boot command line.
#include "instance_boot.h"

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

    *value = otherwise;
    return at == NULL || (base_parse_number(&at, value) && (*at == ' ' || *at == 0));
}
