// format.c - printf into a buffer.
#include "base.h"

struct output {
    char  *buffer;
    size_t size;
    size_t length;                       // of the text, written or not
};

struct conversion {
    bool     left, zero, space, plus, alternate;
    int      width, precision;           // precision -1: none given
    unsigned bytes;                      // of an integer argument
    char     letter;
};

static void put(struct output *o, char c)
{
    if (o->length + 1 < o->size) {
        o->buffer[o->length] = c;
    }
    o->length++;
}

static void put_many(struct output *o, char c, long count)
{
    while (count-- > 0) {
        put(o, c);
    }
}

static void put_text(struct output *o, const struct conversion *c, const char *text, size_t length)
{
    long pad = c->width - (long)length;

    put_many(o, ' ', c->left ? 0 : pad);
    for (size_t i = 0; i < length; i++) {
        put(o, text[i]);
    }
    put_many(o, ' ', c->left ? pad : 0);
}

static void put_number(struct output *o, const struct conversion *c, uint64_t v, const char *sign)
{
    const char *digits = c->letter == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    unsigned base = c->letter == 'o' ? 8
                  : c->letter == 'x' || c->letter == 'X' || c->letter == 'p' ? 16 : 10;
    char text[24];
    int n = 0;

    for (; v != 0; v /= base) {
        text[n++] = digits[v % base];
    }
    int least = c->precision >= 0 ? c->precision : 1;
    int zeros = n < least ? least - n : 0;
    int length = n + zeros + (int)strlen(sign);
    if (c->zero && !c->left && c->precision < 0 && length < c->width) {
        zeros += c->width - length;
        length = c->width;
    }
    put_many(o, ' ', c->left ? 0 : c->width - length);
    while (*sign != '\0') {
        put(o, *sign++);
    }
    put_many(o, '0', zeros);
    while (n > 0) {
        put(o, text[--n]);
    }
    put_many(o, ' ', c->left ? c->width - length : 0);
}

static int read_count(const char **format, va_list *arguments)
{
    int v = 0;

    if (**format == '*') {
        ++*format;
        return va_arg(*arguments, int);
    }
    while (**format >= '0' && **format <= '9') {
        v = v < 100000 ? v * 10 + (**format - '0') : v;
        ++*format;
    }
    return v;
}

static void read_conversion(struct conversion *c, const char **format, va_list *arguments)
{
    *c = (struct conversion){.precision = -1, .bytes = sizeof(int)};
    for (;; ++*format) {
        switch (**format) {
        case '-': c->left = true; continue;
        case '0': c->zero = true; continue;
        case ' ': c->space = true; continue;
        case '+': c->plus = true; continue;
        case '#': c->alternate = true; continue;
        default: break;
        }
        break;
    }
    c->width = read_count(format, arguments);
    if (c->width < 0) {
        c->left = true;
        c->width = c->width > -100000 ? -c->width : 100000;
    }
    if (**format == '.') {
        ++*format;
        c->precision = read_count(format, arguments);
    }
    for (; **format != '\0' && strchr("hljzt", **format) != NULL; ++*format) {
        c->bytes = **format != 'h' ? 8 : c->bytes == 2 ? 1 : 2;
    }
    c->letter = **format;
}

static void put_integer(struct output *o, struct conversion *c, va_list *arguments)
{
    uint64_t v = c->bytes == 8 ? va_arg(*arguments, uint64_t) : va_arg(*arguments, unsigned);
    unsigned shift = 64 - 8 * c->bytes;
    const char *sign = c->plus ? "+" : c->space ? " " : "";

    if (c->letter != 'd' && c->letter != 'i') {
        v = v << shift >> shift;
        put_number(o, c, v, c->alternate && v != 0 && (c->letter | 32) == 'x' ? "0x" : "");
        return;
    }
    int64_t s = (int64_t)(v << shift) >> shift;
    put_number(o, c, s < 0 ? 0 - (uint64_t)s : (uint64_t)s, s < 0 ? "-" : sign);
}

// False for a letter that is not known.
static bool convert(struct output *o, struct conversion *c, va_list *arguments)
{
    switch (c->letter) {
    case 'd': case 'i': case 'u': case 'x': case 'X': case 'o':
        put_integer(o, c, arguments);
        return true;
    case 'p':
        put_number(o, c, (uintptr_t)va_arg(*arguments, void *), "0x");
        return true;
    case 'c': {
        char byte = (char)va_arg(*arguments, int);
        put_text(o, c, &byte, 1);
        return true;
    }
    case 's': {
        const char *s = va_arg(*arguments, const char *);
        s = s == NULL ? "(null)" : s;
        put_text(o, c, s, c->precision >= 0 ? strnlen(s, (size_t)c->precision) : strlen(s));
        return true;
    }
    case '%':
        put(o, '%');
        return true;
    default:
        return false;
    }
}

int base_vformat(char *buffer, size_t size, const char *format, va_list arguments)
{
    struct output o = {buffer, size, 0};
    va_list list;

    va_copy(list, arguments);
    for (; *format != '\0'; format++) {
        struct conversion c;
        if (*format != '%') {
            put(&o, *format);
            continue;
        }
        const char *start = format++;
        read_conversion(&c, &format, &list);
        if (!convert(&o, &c, &list)) {           // show it as it stands, and stop: arguments are unknown
            while (*start != '\0') {
                put(&o, *start++);
            }
            break;
        }
    }
    va_end(list);
    if (size > 0) {
        buffer[o.length < size ? o.length : size - 1] = '\0';
    }
    return (int)o.length;
}

int base_format(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length = base_vformat(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}
