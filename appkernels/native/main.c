// main.c - an application kernel that runs native programs: which, and what comes of them.
//
// Words: from args="..." of its line in the policy file; or, if the program of `quoin run ... -- native WORDS` is
// called `native`, those behind that name.  Programs with a word `;` between them, each
//     [priority=N [highest=N]] [schedule=threads|activations] FILE [WORD ...]
// FILE is of the boot archive's tree, in /bin if it has no slash; the words behind it are the program's.  All run at
// once.  The kernel ends with the last of them; its value is the first one's that was not 0, in the order of the words.
#include <base.h>
#include <cpio.h>
#include <resources.h>
#include <sys.h>

#include "program.h"

_Noreturn void native_trap(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void native_fault(struct thread_state *s, uint64_t cookie, unsigned depth);    // memory.c
_Noreturn void native_exception(struct thread_state *s, uint64_t cookie, unsigned depth);
AK_NOTE(native_trap, native_fault, native_exception);

const char ak_name[] = "native";

enum { LOW_FRAMES = 256, WRONG = 2 };    // with fewer frames left, more memory is asked for

static struct program programs[PROGRAMS_MOST];
static char args[PROGRAMS_MOST][NATIVE_ARGS];
static unsigned count;
static uint32_t left;                    // a

// ---- words ------------------------------------------------------------------------------------------------

static bool begun;                       // the program whose words are read has its name

// A program that is given a priority has none above it, unless that is said, too.
static bool take_priority(struct program *p, const char *word)
{
    bool highest = strncmp(word, "highest=", strlen("highest=")) == 0;
    const char *at = strchr(word, '=') + 1;
    uint64_t value;

    if ((!highest && strncmp(word, "priority=", strlen("priority=")) != 0) || !base_parse_number(&at, &value) ||
        *at != '\0' || value >= ak_info->limits.max_priority || (highest && value < p->priority)) {
        return false;
    }
    p->highest = (uint32_t)value;
    if (!highest) {
        p->priority = p->highest;
    }
    return true;
}

static bool take_setting(struct program *p, const char *word)
{
    if (strcmp(word, "schedule=threads") == 0 || strcmp(word, "schedule=activations") == 0) {
        p->schedule = strcmp(word, "schedule=threads") == 0 ? SCHEDULE_THREADS : SCHEDULE_ACTIVATIONS;
        return true;
    }
    if (!take_priority(p, word)) {
        ak_complain("not understood: %s", word);
        return false;
    }
    return true;
}

static bool take_word(const char *word)
{
    if (strcmp(word, ";") == 0) {
        count += begun;
        begun = false;
        return true;
    }
    if (count == PROGRAMS_MOST) {
        ak_complain("more than %u programs", PROGRAMS_MOST);
        return false;
    }
    struct program *p = &programs[count];
    if (!begun && strchr(word, '=') != NULL) {
        return take_setting(p, word);
    }
    char *to = begun ? args[count] : p->name;
    size_t room = begun ? sizeof(args[count]) : sizeof(p->name), used = strlen(to);
    if (used + 1 + strlen(word) >= room) {
        ak_complain("too long: %s", word);
        return false;
    }
    base_format(to + used, room - used, "%s%s", used != 0 ? " " : "", word);
    begun = true;
    return true;
}

// The words of args="..." in the kernel's line.
static bool take_policy(const char *line)
{
    static const char key[] = "args=\"";
    char word[128];

    for (; *line != '\0' && strncmp(line, key, sizeof(key) - 1) != 0; line++) {
    }
    const char *at = *line == '\0' ? line : line + sizeof(key) - 1;
    while (*at != '\0' && *at != '"') {
        size_t n = 0;
        for (; *at != '\0' && *at != '"' && *at != ' '; at++) {
            if (n < sizeof(word) - 1) {
                word[n++] = *at;
            }
        }
        word[n] = '\0';
        if (n > 0 && !take_word(word)) {
            return false;
        }
        at += *at == ' ';
    }
    return true;
}

// boot/run: settings, an empty string, then the program and its words, each with a NUL.
static bool take_run(void)
{
    struct cpio_entry e;
    bool program = false, mine = false;

    if (ak_info->archive == 0 ||
        !cpio_find(ak_window(ak_info->archive), ak_info->archive_length, "boot/run", &e)) {
        return true;
    }
    const char *at = e.data, *end = at + e.size;
    while (at < end) {
        size_t n = strnlen(at, (size_t)(end - at));
        if (at + n == end || (program && !mine && strcmp(at, ak_name) != 0)) {
            return true;                 // it is cut short, or a program for somebody else
        }
        if (mine && !take_word(at)) {
            return false;
        }
        mine = mine || program;
        program = program || n == 0;
        at += n + 1;
    }
    return true;
}

// ---- handlers ---------------------------------------------------------------------------------------------

void native_trap(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    struct task *t = (struct task *)cookie;
    struct frame *f = &s->frame[depth];
    struct call c = {f->rdi, f->rsi, f->rdx, f->r10, 0};

    f->rax = call_make(t, f->rax, &c);
    f->rdx = c.value;
    task_return(t);
}

void native_exception(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    struct task *t = (struct task *)cookie;
    const struct frame *f = &s->frame[depth];

    if (depth != 0) {
        ak_panic("exception %u at %lx", f->vector, (unsigned long)f->rip);
    }
    if (t->program->schedule == SCHEDULE_ACTIVATIONS) {
        activation_fault(t);             // as a refused access: the rest of the program may go on
    }
    ak_complain("%s: exception %u at %lx", t->program->name, f->vector, (unsigned long)f->rip);
    program_lock(t);
    program_end(t->program, t, PROGRAM_FAILED);
    program_unlock(t);
    task_return(t);
}

// ---- the whole --------------------------------------------------------------------------------------------

void program_over(struct program *p)
{
    uint64_t value = 0;

    ak_log("%s ended with %lu", p->name, (unsigned long)p->value);
    if (__atomic_sub_fetch(&left, 1, __ATOMIC_ACQ_REL) != 0) {
        return;
    }
    for (unsigned i = 0; i < count && value == 0; i++) {
        value = programs[i].value;
    }
    ak_stop((int)value);
}

static void poll(void)
{
    activation_poll(programs, count);
    virtual_poll(programs, count);
}

static err_t program_begin(struct program *p, const struct task_start *start)
{
    return p->schedule == SCHEDULE_ACTIVATIONS ? activation_begin(p) : task_create(p, start);
}

int ak_main(const struct kernel_info *info)
{
    static struct task_start start[PROGRAMS_MOST];

    for (unsigned i = 0; i < PROGRAMS_MOST; i++) {
        programs[i].number = i;
        programs[i].priority = info->limits.max_priority > DEFAULT_PRIORITY ? DEFAULT_PRIORITY : 0;
        programs[i].highest = info->limits.max_priority > 0 ? info->limits.max_priority - 1 : 0;
        programs[i].alarm = UINT64_MAX;
    }
    if (!take_policy(info->args) || !take_run()) {
        return WRONG;
    }
    count += begun;
    for (unsigned i = 0; i < count; i++) {
        if (!program_load(&programs[i], args[i], &start[i])) {
            return WRONG;
        }
    }
    (void)resources_begin(LOW_FRAMES);
    left = count;
    for (unsigned i = 0; i < count; i++) {
        if (program_begin(&programs[i], &start[i]) != ERR_OK) {
            ak_complain("there is no memory for %s", programs[i].name);
            return WRONG;
        }
    }
    return count > 0 ? ak_service(poll) : WRONG;
}
