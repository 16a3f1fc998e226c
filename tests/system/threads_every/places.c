// places.c - the instructions of the library, from the table that tools/instructions has made of this program.
#include "every.h"

enum { FUNCTIONS = 512, PLACES = 16384, NAME = 56, TEXT = 1 << 18, TABLE = 1 << 18 };
static const uint64_t text = 0x40000000;         // native.ld

static struct function {
    char name[NAME];
    uint32_t first, count;
    enum place_kind kind;
} function[FUNCTIONS];
static uint32_t place[PLACES];                   // distance from the beginning of the text
static uint32_t functions, places;
static uint16_t number[TEXT];                    // of its function, 1 and up
static uint8_t stopped[TEXT];
uint64_t places_stops;

static bool between(uint64_t at, const char *from, const char *to)
{
    return at >= (uint64_t)from && at < (uint64_t)to;
}
static enum place_kind kind_of(const struct function *f)
{
    uint64_t at = text + place[f->first];

    if (between(at, __start_threads_critical, __stop_threads_critical)) {
        return PLACE_CRITICAL;
    }
    if (between(at, __start_threads_recovery, __stop_threads_recovery)) {
        return PLACE_COPY;
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
        place[places++] = (uint32_t)(value - text);
        number[value - text] = (uint16_t)functions;
    }
    f->count = places - f->first;
    f->kind = kind_of(f);
    return at + 1;
}
bool places_read(void)
{
    static const char name[] = "bin/threads_every.table";
    va_t va = 0;

    if (native_map_file(name, sizeof name - 1, TABLE, 0, &va) != ERR_OK) {
        return false;
    }
    for (const char *at = (const char *)va; *at != '\0' && functions < FUNCTIONS && places < PLACES;) {
        at = read_line(at);
    }
    return places > 2000;
}
uint32_t place_function(uint64_t rip)
{
    return rip >= text && rip < text + TEXT ? number[rip - text] : 0;
}
enum place_kind place_kind(uint64_t rip)
{
    uint32_t f = place_function(rip);

    return f != 0 ? function[f - 1].kind : PLACE_NONE;
}
bool places_stopped(uint64_t rip)
{
    bool fresh = place_function(rip) != 0 && !stopped[rip - text];

    if (fresh) {
        stopped[rip - text] = 1;
    }
    places_stops++;
    return fresh;
}
static uint32_t count_stopped(const struct function *f)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < f->count; i++) {
        n += stopped[place[f->first + i]];
    }
    return n;
}
// Of each part so many of 100 instructions at least.  What is never reached: kernel threads (exit_kernel, kernel_main,
// critical_exit_kernel, a branch of wait_after and of most critical functions), the library's beginning
// (threads_begin, thread_record, timers_tick, before upcalls are looked at), threads_processor, the pause of a wait on
// kernel threads (threads_spin_round), what gives a processor
// back or asks for one more (one processor that nobody else wants), faults, and races of two processors.
static const unsigned least[PLACE_KINDS] = {[PLACE_CRITICAL] = 68, [PLACE_COPY] = 44, [PLACE_WAIT] = 20,
                                            [PLACE_REST] = 62};

bool places_report(void)
{
    static const char *const name[] = {"", "critical functions", "their recovery copy", "waits for locks", "the rest"};
    uint32_t all[PLACE_KINDS] = {0}, there[PLACE_KINDS] = {0};

    for (uint32_t i = 0; i < functions; i++) {
        const struct function *f = &function[i];
        uint32_t n = count_stopped(f);
        there[f->kind] += n;
        all[f->kind] += f->count;
        if (n < f->count) {
            native_print("    %s %u of %u\n", f->name, n, f->count);
        }
    }
    bool enough = true;
    for (unsigned k = PLACE_CRITICAL; k < PLACE_KINDS; k++) {
        bool good = all[k] != 0 && there[k] * 100 >= all[k] * least[k];
        native_print("%s %s: stopped at %u of %u instructions\n", good ? "ok" : "not ok", name[k], there[k], all[k]);
        enough = enough && good;
    }
    native_print("%lu stops\n", (unsigned long)places_stops);
    return enough;
}
