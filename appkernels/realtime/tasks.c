// tasks.c - reading the input of the real-time kernel.
#include "tasks.h"

#include <base.h>

enum { LINE = 128, WORDS = 8 };

struct line {
    char  text[LINE];
    char *word[WORDS];
    unsigned words;
};

static bool wrong(struct tasks_error *error, const char *what, const char *word)
{
    base_format(error->text, sizeof(error->text), "%s%s%.32s", what, *word == '\0' ? "" : ": ", word);
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

// Cut the line into words, in place, up to a comment.  False: there are too many.
static bool cut(struct line *l)
{
    char *at = l->text;

    l->words = 0;
    for (;;) {
        while (is_space(*at)) {
            *at++ = '\0';
        }
        if (*at == '\0' || *at == '#') {
            *at = '\0';
            return true;
        }
        if (l->words == WORDS) {
            return false;
        }
        l->word[l->words++] = at;
        while (*at != '\0' && *at != '#' && !is_space(*at)) {
            at++;
        }
    }
}

static bool number(const char *word, uint64_t least, uint64_t most, uint64_t *value, struct tasks_error *error)
{
    const char *at = word;

    if (!base_parse_number(&at, value) || *at != '\0') {
        return wrong(error, "not a number", word);
    }
    return (*value >= least && *value <= most) || wrong(error, "too small or too large", word);
}

static bool take_task(struct tasks *t, const struct line *l, struct tasks_error *error)
{
    struct task_input *i = &t->task[t->count];

    if (t->count == TASKS) {
        return wrong(error, "too many tasks", "");
    }
    if (l->words < 6 || l->words > 7) {
        return wrong(error, "a task needs NAME PERIOD EXECUTION DEADLINE PHASE", "");
    }
    size_t n = strlen(l->word[1]);
    if (n >= TASK_NAME) {
        return wrong(error, "the name is too long", l->word[1]);
    }
    memcpy(i->name, l->word[1], n + 1);
    for (unsigned k = 0; k < t->count; k++) {
        if (strcmp(t->task[k].name, i->name) == 0) {
            return wrong(error, "there are two of this name", i->name);
        }
    }
    if (!number(l->word[2], 1, TASK_LONGEST, &i->period, error) ||
        !number(l->word[3], 1, i->period, &i->execution, error) ||
        !number(l->word[4], 1, i->period, &i->deadline, error) ||
        !number(l->word[5], 0, TASK_LONGEST, &i->phase, error)) {
        return false;
    }
    i->work = i->execution;
    if (l->words == 7 && !number(l->word[6], 1, TASK_LONGEST, &i->work, error)) {
        return false;
    }
    t->count++;
    return true;
}

static bool take_line(struct tasks *t, struct line *l, struct tasks_error *error)
{
    if (!cut(l)) {
        return wrong(error, "too many words", "");
    }
    if (l->words == 0) {
        return true;
    }
    if (strcmp(l->word[0], "task") == 0) {
        return take_task(t, l, error);
    }
    if (strcmp(l->word[0], "run") == 0 && l->words == 2) {
        return number(l->word[1], 1, RUN_LONGEST, &t->run, error);
    }
    return wrong(error, "not understood", l->word[0]);
}

bool tasks_parse(struct tasks *t, const char *text, size_t length, struct tasks_error *error)
{
    struct line line;
    size_t at = 0;

    *t = (struct tasks){.run = 1000000};
    *error = (struct tasks_error){0};
    while (at < length) {
        size_t n = 0;
        for (error->line++; at + n < length && text[at + n] != '\n'; n++) {
            if (text[at + n] == '\0') {
                return wrong(error, "not text", "");
            }
        }
        if (n >= LINE) {
            return wrong(error, "the line is too long", "");
        }
        memcpy(line.text, text + at, n);
        line.text[n] = '\0';
        at += n + 1;
        if (!take_line(t, &line, error)) {
            return false;
        }
    }
    error->line = 0;
    return t->count > 0 || wrong(error, "there is no task", "");
}
