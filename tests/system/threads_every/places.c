// places.c - the instructions of the libraries, from the table that tools/instructions has made of this program.
#include "every.h"

enum { FUNCTIONS = 512, PLACES = 16384, NAME = 56, TEXT = 1 << 18, TABLE = 1 << 18 };
static const uint64_t text = 0x40000000;         // native.ld

static struct function {
    char name[NAME];
    uint32_t first, count;
    enum place_kind kind;
} function[FUNCTIONS];
static struct instruction place[PLACES];
static uint32_t functions, places;
static uint16_t number[TEXT];                    // of the place, 1 and up
uint64_t places_stops;

static bool between(uint64_t at, const char *from, const char *to)
{
    return at >= (uint64_t)from && at < (uint64_t)to;
}
static enum place_kind kind_of(const struct function *f)
{
    uint64_t at = text + place[f->first].at;

    if (between(at, __start_threads_critical, __stop_threads_critical)) {
        return PLACE_CRITICAL;
    }
    if (between(at, __start_threads_recovery, __stop_threads_recovery)) {
        return PLACE_COPY;
    }
    if (strchr(f->name, ':') != NULL && strncmp(f->name, "wait:", 5) != 0) {
        return strncmp(f->name, "steal:", 6) == 0 ? PLACE_STEAL :
               strncmp(f->name, "tasks:", 6) == 0 ? PLACE_TASKS : PLACE_CTHREADS;
    }
    bool waits = between(at, __start_threads_spin_recovery, __stop_threads_spin_recovery) ||
                 strncmp(f->name, "wait:", 5) == 0 || strcmp(f->name, "threads_spin_round") == 0;
    return waits ? PLACE_WAIT : PLACE_REST;
}
static const char *read_line(const char *at)
{
    struct function *f = &function[functions++];
    size_t n = 0;

    f->first = places;
    for (; *at != ' '; at++) {
        if (n < NAME - 1) {
            f->name[n++] = *at;
        }
    }
    while (*at == ' ') {
        uint64_t value = 0;
        for (at++; *at != ' ' && *at != '\n'; at++) {
            value = value * 16 + (uint64_t)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
        }
        place[places++] = (struct instruction){.at = (uint32_t)(value - text), .function = (uint16_t)functions};
        number[value - text] = (uint16_t)places;
    }
    f->count = places - f->first;
    f->kind = kind_of(f);
    return at + 1;
}
bool places_read(void)
{
    va_t va = 0;

    if (native_map_file(every.table, strlen(every.table), TABLE, 0, &va) != ERR_OK) {
        return false;
    }
    for (const char *at = (const char *)va; *at != '\0' && functions < FUNCTIONS && places < PLACES;) {
        at = read_line(at);
    }
    return places > 2000;
}
struct instruction *place_find(uint64_t rip)
{
    uint32_t n = rip >= text && rip < text + TEXT ? number[rip - text] : 0;

    return n != 0 ? &place[n - 1] : NULL;
}
struct instruction *place_number(uint32_t i)
{
    return i < places ? &place[i] : NULL;
}
uint64_t place_address(const struct instruction *p)
{
    return text + p->at;
}
uint32_t place_function(uint64_t rip)
{
    const struct instruction *p = place_find(rip);

    return p != NULL ? p->function : 0;
}
enum place_kind place_kind(uint64_t rip)
{
    uint32_t f = place_function(rip);

    return f != 0 ? function[f - 1].kind : PLACE_NONE;
}
bool places_stopped(uint64_t rip)
{
    struct instruction *p = place_find(rip);
    bool fresh = p != NULL && !(p->state & PLACE_BY_TIMER);

    if (fresh) {
        p->state |= PLACE_BY_TIMER;
    }
    places_stops++;
    return fresh;
}
static uint32_t count_stopped(const struct function *f, unsigned how)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < f->count; i++) {
        n += (place[f->first + i].state & how) != 0;
    }
    return n;
}
static bool is_excused(const struct function *f)
{
    for (const struct unused *u = every.unused; u->name != NULL; u++) {
        if (strcmp(f->name, u->name) == 0) {
            native_print("    %s: not run, %s\n", f->name, u->why);
            return true;
        }
    }
    native_print("not ok %s is never run\n", f->name);
    return false;
}
bool places_report(void)
{
    static const char *const name[] = {"", "critical functions", "their recovery copy", "waits for locks", "the rest",
                                                  "lib/steal", "lib/tasks", "lib/cthreads"};
    uint32_t all[PLACE_KINDS] = {0}, there[PLACE_KINDS] = {0}, timer[PLACE_KINDS] = {0};
    bool enough = true;

    for (uint32_t i = 0; i < functions; i++) {
        const struct function *f = &function[i];
        uint32_t n = count_stopped(f, PLACE_BY_TIMER | PLACE_BY_BREAK);
        timer[f->kind] += count_stopped(f, PLACE_BY_TIMER);
        there[f->kind] += n;
        all[f->kind] += f->count;
        if (every.least[f->kind] == 0) {
            continue;
        }
        if (n == 0) {
            enough = is_excused(f) && enough;
        } else if (n < f->count) {
            native_print("    %s %u of %u\n", f->name, n, f->count);
        }
    }
    for (unsigned k = PLACE_CRITICAL; k < PLACE_KINDS; k++) {
        bool good = all[k] != 0 && there[k] * 100 >= all[k] * every.least[k];
        if (every.least[k] == 0) {
            continue;
        }
        native_print("%s %s: executed and stopped at %u of %u instructions, %u of these by the timer\n",
                     good ? "ok" : "not ok", name[k], there[k], all[k], timer[k]);
        enough = enough && good;
    }
    native_print("%lu stops by the timer, %lu by breakpoints\n", (unsigned long)places_stops,
                 (unsigned long)breaks_hits);
    return enough;
}
