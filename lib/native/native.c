// native.c - lines for the terminal, and numbers among a program's words.
#include "native.h"

#include <base.h>

void native_print(const char *format, ...)
{
    char line[NATIVE_LINE];
    va_list arguments;
    uint64_t taken;

    va_start(arguments, format);
    int length = base_vformat(line, sizeof(line), format, arguments);
    va_end(arguments);
    length = length < NATIVE_LINE ? length : NATIVE_LINE - 1;
    (void)native_write(line, (uint64_t)length, &taken);
}

uint64_t native_number(const char *key, uint64_t otherwise)
{
    size_t length = strlen(key);

    for (const char *at = native_told()->args; at != NULL && *at != '\0'; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, key, length) == 0 && at[length] == '=') {
            const char *text = at + length + 1;
            uint64_t value;
            if (base_parse_size(&text, &value)) {
                return value;
            }
        }
    }
    return otherwise;
}
