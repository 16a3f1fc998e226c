// words.c - what is to be simulated, from words key=value.
//
//     particles=N  steps=N  warm=N  threads=N  seed=N  grid=XxYxZ (each a multiple of 4)
//     obstacle=X-X,Y-Y,Z-Z (cells, the second is the first one beyond it) or obstacle=none
//     policy=stay or policy=cells
#include <base.h>

#include "sim.h"

enum { OPEN = UINT32_MAX };              // the obstacle follows from the grid

void sim_defaults(struct sim_setup *s)
{
    *s = (struct sim_setup){.particles = 16384, .steps = 8, .warm = 2, .threads = 1, .policy = SIM_CELLS,
                            .size = {32, 16, 16}, .low = {OPEN}, .seed = 1};
}

// A number of at most 32 bits at *text, which must be followed by `end`, or end the value.
static bool number(const char **text, uint32_t *to, char end)
{
    uint64_t v;

    if (!base_parse_number(text, &v) || v >= OPEN || **text != end) {
        return false;
    }
    *to = (uint32_t)v;
    *text += end != '\0';
    return true;
}

static bool grid(struct sim_setup *s, const char *value)
{
    return number(&value, &s->size[0], 'x') && number(&value, &s->size[1], 'x') &&
           number(&value, &s->size[2], '\0');
}

static bool obstacle(struct sim_setup *s, const char *value)
{
    if (strcmp(value, "none") == 0) {
        memset(s->low, 0, sizeof(s->low));
        memset(s->high, 0, sizeof(s->high));
        return true;
    }
    for (unsigned i = 0; i < 3; i++) {
        if (!number(&value, &s->low[i], '-') || !number(&value, &s->high[i], i < 2 ? ',' : '\0')) {
            return false;
        }
    }
    return true;
}

static bool policy(struct sim_setup *s, const char *value)
{
    s->policy = strcmp(value, "stay") == 0 ? SIM_STAY : SIM_CELLS;
    return s->policy == SIM_STAY || strcmp(value, "cells") == 0;
}

static bool set(struct sim_setup *s, const char *key, const char *value)
{
    const struct { const char *key; uint32_t *to;
    } plain[] = {
        {"particles", &s->particles}, {"steps", &s->steps}, {"warm", &s->warm}, {"threads", &s->threads},
    };

    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        if (strcmp(key, plain[i].key) == 0) {
            return number(&value, plain[i].to, '\0');
        }
    }
    if (strcmp(key, "seed") == 0) {
        return base_parse_number(&value, &s->seed) && *value == '\0';
    }
    return strcmp(key, "grid") == 0       ? grid(s, value)
           : strcmp(key, "obstacle") == 0 ? obstacle(s, value)
                                          : strcmp(key, "policy") == 0 && policy(s, value);
}

bool sim_word(struct sim_setup *s, const char *word, size_t length)
{
    char text[64];

    if (length >= sizeof(text)) {
        return false;
    }
    memcpy(text, word, length);
    text[length] = '\0';
    char *value = strchr(text, '=');
    if (value == NULL) {
        return false;
    }
    *value = '\0';
    return set(s, text, value + 1);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

bool sim_words(struct sim_setup *s, const char *text, size_t length, const char **bad, size_t *bad_length)
{
    const char *at = text, *end = text + length;

    while (at < end) {
        const char *word = at;
        while (at < end && *word == '#' && *at != '\n') {
            at++;
        }
        while (at < end && *word != '#' && !is_blank(*at)) {
            at++;
        }
        if (at > word && *word != '#' && !sim_word(s, word, (size_t)(at - word))) {
            *bad = word;
            *bad_length = (size_t)(at - word);
            return false;
        }
        at += at < end;
    }
    return true;
}

static void default_obstacle(struct sim_setup *s)
{
    for (unsigned i = 0; i < 3; i++) {
        s->low[i] = s->size[i] / 4;
        s->high[i] = s->size[i] * 3 / 4;
    }
    s->low[0] = s->size[0] > 8 ? s->size[0] / 4 : 2;
    s->high[0] = s->low[0] + (s->size[0] > 8 ? s->size[0] / 8 : 1);
}

const char *sim_check(struct sim_setup *s)
{
    uint64_t cells = 1;

    for (unsigned i = 0; i < 3; i++) {
        if (s->size[i] % 4 != 0 || s->size[i] == 0 || s->size[i] > SIM_AXIS) {
            return "each side of the grid is a multiple of 4, from 4 to 64";
        }
        cells *= s->size[i];
    }
    if (s->low[0] == OPEN) {
        default_obstacle(s);
    }
    for (unsigned i = 0; i < 3; i++) {
        bool early = i == 0 && s->high[0] != 0 && s->low[0] < 2;
        if (s->low[i] > s->high[i] || s->high[i] > s->size[i] || early) {
            return "the obstacle must be in the tunnel, two cells behind its entrance";
        }
    }
    if (s->particles == 0 || s->particles > cells * SIM_CROWD) {
        return "there must be particles, 64 for each cell at most";
    }
    if (s->threads == 0 || s->threads > SIM_THREADS) {
        return "from 1 to 8 threads";
    }
    return s->steps == 0 || s->warm >= s->steps ? "there must be steps, and some that are measured" : NULL;
}
