// policy.c - reading the policy file.
#include "policy.h"

#include <abi/types.h>
#include <base.h>

#include "weights.h"

struct reader {
    struct policy       *policy;
    struct policy_error *error;
    unsigned             line;
    char                 text[POLICY_LINE];      // the line
    char                *at;
    char                 primary[POLICY_NAME];
    unsigned             primary_line;
};

static bool wrong(struct reader *r, const char *what, const char *word)
{
    r->error->line = r->line;
    base_format(r->error->text, sizeof(r->error->text), "%s%s%s", what, *word == '\0' ? "" : ": ", word);
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

// The next word, ended with NUL in place, or NULL.  Quotes hold blanks together and stay in the word.
static char *next_word(struct reader *r)
{
    bool quoted = false;

    while (is_space(*r->at)) {
        r->at++;
    }
    if (*r->at == '\0') {
        return NULL;
    }
    char *word = r->at;
    for (; *r->at != '\0' && (quoted || !is_space(*r->at)); r->at++) {
        quoted = *r->at == '"' ? !quoted : quoted;
    }
    if (*r->at != '\0') {
        *r->at++ = '\0';
    }
    return word;
}

// Cut a comment off: a `#` outside quotes.  False if a quote is left open.
static bool cut_comment(char *text)
{
    bool quoted = false;

    for (char *c = text; *c != '\0'; c++) {
        if (*c == '"') {
            quoted = !quoted;
        } else if (*c == '#' && !quoted) {
            *c = '\0';
            break;
        }
    }
    return !quoted;
}

static bool copy_name(char to[POLICY_NAME], const char *word)
{
    size_t n = strlen(word);

    if (n >= POLICY_NAME || n == 0 || strchr(word, '/') != NULL || strchr(word, '=') != NULL) {
        return false;
    }
    memcpy(to, word, n + 1);
    return true;
}

static int find_kernel(const struct policy *p, const char *name)
{
    for (unsigned i = 0; i < p->count; i++) {
        if (strcmp(p->kernel[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static bool read_size(struct reader *r, uint64_t *to, const char *value, const char *word)
{
    const char *at = value;

    if (!base_parse_size(&at, to) || *at != '\0' || *to == 0) {
        return wrong(r, "not a size", word);
    }
    return true;
}

static bool read_memory(struct reader *r, struct policy_kernel *k, const char *value, const char *word)
{
    if (strcmp(value, "rest") == 0) {
        for (unsigned i = 0; i < r->policy->count; i++) {
            if (r->policy->kernel[i].rest) {
                return wrong(r, "the rest of memory can be given once only", "");
            }
        }
        k->rest = true;
        return true;
    }
    return read_size(r, &k->memory, value, word);
}

static bool read_most(struct reader *r, struct policy_kernel *k, const char *value, const char *word)
{
    const char *at = value;

    return (base_parse_size(&at, &k->most) && *at == '\0') || wrong(r, "not a size", word);
}

static bool read_number(struct reader *r, uint64_t *to, const char *value, uint64_t most, const char *word)
{
    const char *at = value;
    uint64_t v;

    if (!base_parse_number(&at, &v) || *at != '\0') {
        return wrong(r, "not a number", word);
    }
    if (v > most) {
        return wrong(r, "too large", word);
    }
    *to = v;
    return true;
}

static bool read_setting(struct reader *r, struct policy_kernel *k, const char *word)
{
    const struct { const char *key; uint64_t *to; uint64_t most; } number[] = {
        {"priority=", &k->priority, ABI_PRIORITIES - 2},
        {"share=", &k->share, 100},
        {"spaces=", &k->spaces, 65535},
        {"threads=", &k->threads, 65535},
        {"mappings=", &k->mappings, UINT32_MAX},
        {"min_spaces=", &k->space.least, 65535},
        {"max_spaces=", &k->space.most, 65535},
        {"min_threads=", &k->thread.least, 65535},
        {"max_threads=", &k->thread.most, 65535},
        {"min_mappings=", &k->mapping.least, 1 << 23},
        {"max_mappings=", &k->mapping.most, 1 << 23},
        {"weight=", &k->weight, WEIGHTS_MOST},
    };

    for (size_t i = 0; i < sizeof(number) / sizeof(number[0]); i++) {
        size_t n = strlen(number[i].key);
        if (strncmp(word, number[i].key, n) == 0) {
            return read_number(r, number[i].to, word + n, number[i].most, word) &&
                   (number[i].to != &k->weight || k->weight != 0 || wrong(r, "a weight is 1 at least", word));
        }
    }
    if (strncmp(word, "image=", 6) == 0) {
        return copy_name(k->image, word + 6) || wrong(r, "not the name of a program", word);
    }
    if (strncmp(word, "memory=", 7) == 0) {
        return read_memory(r, k, word + 7, word);
    }
    if (strncmp(word, "most=", 5) == 0) {
        return read_most(r, k, word + 5, word);
    }
    if (strcmp(word, "console") == 0) {
        k->console = true;
        return true;
    }
    return strncmp(word, "args=", 5) == 0 || wrong(r, "unknown word", word);
}

static bool check_range(struct reader *r, const char *type, const struct policy_range *range, uint64_t floor)
{
    char word[32];

    if (range->most == 0 || (range->most >= range->least && range->most >= floor)) {
        return true;
    }
    base_format(word, sizeof(word), "max_%s=%lu", type, (unsigned long)range->most);
    return wrong(r, range->most < range->least ? "a maximum below the minimum" : "a maximum that locks could use up",
                 word);
}

static bool read_kernel(struct reader *r)
{
    struct policy *p = r->policy;
    char *word = next_word(r);

    if (p->count == POLICY_KERNELS) {
        return wrong(r, "too many kernels", "");
    }
    struct policy_kernel *k = &p->kernel[p->count];
    *k = (struct policy_kernel){.number = r->line, .priority = 16, .share = 100};
    if (word == NULL || !copy_name(k->name, word)) {
        return wrong(r, "a kernel needs a name", word == NULL ? "" : word);
    }
    (void)copy_name(k->image, k->name);
    if (find_kernel(p, k->name) >= 0) {
        return wrong(r, "this kernel has a line already", k->name);
    }
    while (is_space(*r->at)) {
        r->at++;
    }
    memcpy(k->line, r->at, strlen(r->at) + 1);
    while ((word = next_word(r)) != NULL) {
        if (!read_setting(r, k, word)) {
            return false;
        }
    }
    if (!k->rest && k->memory == 0) {
        return wrong(r, "memory=SIZE or memory=rest is missing", k->name);
    }
    if (!check_range(r, "spaces", &k->space, k->spaces + 1) ||
        !check_range(r, "threads", &k->thread, k->threads + 2) || !check_range(r, "mappings", &k->mapping, 1)) {
        return false;
    }
    p->count++;
    return true;
}

// ---- what changes as time goes by -------------------------------------------------------------------------

enum { LONGEST = 365 * 24 * 3600 };      // seconds

static bool read_time(struct reader *r, uint64_t *to, const char *value, const char *word)
{
    static const struct { const char *name; uint64_t ns; } unit[] = {
        {"ms", 1000000}, {"s", 1000000000}, {"m", 60000000000},
    };
    const char *at = value;
    uint64_t v;

    for (size_t i = 0; base_parse_number(&at, &v) && i < sizeof(unit) / sizeof(unit[0]); i++, at = value) {
        if (strcmp(at, unit[i].name) == 0) {
            *to = v * unit[i].ns;
            return v <= LONGEST * 1000000000ull / unit[i].ns || wrong(r, "too large", word);
        }
    }
    return wrong(r, "not a time, as 500ms, 30s or 2m", word);
}

// Its line must be above: so that this one can be checked at once.
static bool read_known(struct reader *r, unsigned *kernel)
{
    const char *word = next_word(r);
    int found = word == NULL ? -1 : find_kernel(r->policy, word);

    if (word == NULL) {
        return wrong(r, "the name of a kernel is missing", "");
    }
    if (found < 0) {
        return wrong(r, "no line above names this kernel", word);
    }
    *kernel = (unsigned)found;
    return true;
}

static bool read_turns(struct reader *r)
{
    struct policy *p = r->policy;
    char *word = next_word(r);
    unsigned count = 0, kernel = 0;

    if (p->turns == POLICY_TURNS) {
        return wrong(r, "too many lines with turns", "");
    }
    if (word == NULL || strncmp(word, "each=", 5) != 0) {
        return wrong(r, "turns needs each=TIME first", "");
    }
    if (!read_time(r, &p->each[p->turns], word + 5, word)) {
        return false;
    }
    if (p->each[p->turns] == 0) {
        return wrong(r, "a turn takes time", word);
    }
    p->turns++;
    for (; count == 0 || *r->at != '\0'; count++) {
        if (!read_known(r, &kernel)) {
            return false;
        }
        if (p->kernel[kernel].turns != 0) {
            return wrong(r, "this kernel takes turns already", p->kernel[kernel].name);
        }
        p->kernel[kernel].turns = p->turns;
        while (is_space(*r->at)) {
            r->at++;
        }
    }
    return count >= 2 || wrong(r, "turns needs two kernels at least", "");
}

static bool read_phase_word(struct reader *r, struct policy_phase *f, uint64_t *length, const char *word)
{
    if (f->kind == PHASE_GRANT && strncmp(word, "share=", 6) == 0) {
        return read_number(r, &f->share, word + 6, 100, word);
    }
    if (f->kind == PHASE_GRANT && strncmp(word, "priority=", 9) == 0) {
        return read_number(r, &f->priority, word + 9, ABI_PRIORITIES - 2, word);
    }
    if (f->kind == PHASE_GRANT && strncmp(word, "memory=", 7) == 0) {
        r->policy->kernel[f->kernel].borrows = true;
        return read_size(r, &f->memory, word + 7, word);
    }
    if (f->kind == PHASE_END && strncmp(word, "at=", 3) == 0) {
        return read_time(r, &f->from, word + 3, word);
    }
    if (f->kind != PHASE_END && strncmp(word, "from=", 5) == 0) {
        return read_time(r, &f->from, word + 5, word);
    }
    if (f->kind != PHASE_END && strncmp(word, "for=", 4) == 0) {
        return read_time(r, length, word + 4, word) && (*length != 0 || wrong(r, "no time at all", word));
    }
    return wrong(r, "unknown word", word);
}

static bool read_phase(struct reader *r, enum policy_kind kind)
{
    struct policy *p = r->policy;
    struct policy_phase *f = &p->phase[p->phases];
    uint64_t length = POLICY_FOREVER;
    const char *word;

    if (p->phases == POLICY_PHASES) {
        return wrong(r, "too many lines with grant, out or end", "");
    }
    *f = (struct policy_phase){.kind = kind, .from = kind == PHASE_END ? POLICY_FOREVER : 0,
                               .share = POLICY_UNSAID, .priority = POLICY_UNSAID};
    if (!read_known(r, &f->kernel)) {
        return false;
    }
    while ((word = next_word(r)) != NULL) {
        if (!read_phase_word(r, f, &length, word)) {
            return false;
        }
    }
    if (kind == PHASE_END && f->from == POLICY_FOREVER) {
        return wrong(r, "end needs at=TIME", "");
    }
    if (kind == PHASE_GRANT && f->share == POLICY_UNSAID && f->priority == POLICY_UNSAID && f->memory == 0) {
        return wrong(r, "grant needs share=N, priority=N or memory=SIZE", "");
    }
    f->until = length == POLICY_FOREVER ? POLICY_FOREVER : f->from + length;
    p->phases++;
    return true;
}

static bool read_line(struct reader *r)
{
    static const char *const phase[] = {[PHASE_GRANT] = "grant", [PHASE_OUT] = "out", [PHASE_END] = "end"};

    r->at = r->text;
    if (!cut_comment(r->text)) {
        return wrong(r, "a quote is not closed", "");
    }
    char *word = next_word(r);
    if (word == NULL) {
        return true;
    }
    if (strcmp(word, "kernel") == 0) {
        return read_kernel(r);
    }
    if (strcmp(word, "turns") == 0) {
        return read_turns(r);
    }
    for (unsigned kind = PHASE_GRANT; kind <= PHASE_END; kind++) {
        if (strcmp(word, phase[kind]) == 0) {
            return read_phase(r, (enum policy_kind)kind);
        }
    }
    if (strcmp(word, "primary") != 0) {
        return wrong(r, "unknown word", word);
    }
    word = next_word(r);
    if (word == NULL || !copy_name(r->primary, word) || next_word(r) != NULL) {
        return wrong(r, "primary needs the name of one kernel", "");
    }
    r->primary_line = r->line;
    return true;
}

bool policy_parse(struct policy *p, const char *text, size_t length, struct policy_error *error)
{
    struct reader r = {.policy = p, .error = error};
    size_t at = 0;

    p->count = p->turns = p->phases = 0;
    p->primary = -1;
    while (at < length) {
        size_t n = 0;
        for (r.line++; at + n < length && text[at + n] != '\n'; n++) {
            if (text[at + n] == '\0') {
                return wrong(&r, "not text", "");
            }
        }
        if (n >= POLICY_LINE) {
            return wrong(&r, "the line is too long", "");
        }
        memcpy(r.text, text + at, n);
        r.text[n] = '\0';
        at += n + 1;
        if (!read_line(&r)) {
            return false;
        }
    }
    if (p->count == 0) {
        r.line = 0;
        return wrong(&r, "no kernel is named", "");
    }
    if (r.primary_line != 0 && (p->primary = find_kernel(p, r.primary)) < 0) {
        r.line = r.primary_line;
        return wrong(&r, "no such kernel", r.primary);
    }
    return true;
}
