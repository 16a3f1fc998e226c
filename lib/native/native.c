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

// Is the word KEY=NUMBER?  `length`: of the key.
static bool is_number(const char *word, size_t length)
{
    const char *text = word + length + 1;
    uint64_t value;

    return word[length] == '=' && base_parse_size(&text, &value) && (*text == ' ' || *text == '\0');
}

// Up to a space, a stop or the end.
static size_t length_until(const char *s, char stop)
{
    size_t n = 0;

    while (s[n] != '\0' && s[n] != ' ' && s[n] != stop) {
        n++;
    }
    return n;
}

static bool is_key(const char *keys, const char *key, size_t length)
{
    while (*keys != '\0') {
        size_t n = length_until(keys, ' ');
        if (n == length && memcmp(keys, key, n) == 0) {
            return true;
        }
        keys += n + (keys[n] == ' ');
    }
    return false;
}

size_t native_wrong_word(const char *keys, const char **word)
{
    size_t length;

    for (const char *at = native_told()->args; *at != '\0'; at += length + (at[length] == ' ')) {
        size_t key = length_until(at, '=');
        length = length_until(at, ' ');
        if (length != 0 && (!is_key(keys, at, key) || !is_number(at, key))) {
            *word = at;
            return length;
        }
    }
    return 0;
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
