// doomed.c - a kernel that comes to an end in the way its line of the policy file says; tests/command/srm.sh
// looks at what srm makes of it.
//     args="value"    ends with a value that does not fit into a status
//     args="leave"    ends while its threads run and its space is loaded
//     args="text"     takes its own text away: no handler can run any more
//     args="scribble" fills the pages that it shares with srm and the supervisor, and ends
#include "../harness.h"

static bool is(const char *mode)
{
    char word[32];

    base_format(word, sizeof(word), "args=\"%s\"", mode);
    for (const char *at = info->args; *at != '\0'; at++) {
        if (strncmp(at, word, strlen(word)) == 0) {
            return true;
        }
    }
    return false;
}

static void leave(void)
{
    static struct test_space space;
    static struct test_thread t[4];

    check_error(space_open(&space, TRAP_FORWARD, 0), ERR_OK, "a space");
    program_put(&space, PROGRAM(spin));
    for (unsigned i = 0; i < 4; i++) {
        thread_make(&t[i], &space);
        check_error(thread_start(&t[i]), ERR_OK, "a thread");
    }
    sleep_for(2 * machine->slice);
    thread_end(7);
}

static void scribble(void)
{
    pa_t from = info->range[0].base, to = info->free;

    for (unsigned byte = 0; byte < 256; byte += 51) {
        char *at = window(from);
        // By hand: the frame of this very thread is among it, but in use only by the supervisor's next entry.
        for (pa_t i = 0; i < to - from; i++) {
            at[i] = (char)byte;
        }
        for (unsigned n = 0; n < 100; n++) {
            __asm__ volatile("pause");
        }
    }
    thread_end(9);
}

unsigned test_main(void)
{
    uint64_t n;

    CHECK(true, "started");
    if (is("value")) {
        thread_end(300);
    } else if (is("leave")) {
        leave();
    } else if (is("text")) {
        (void)sys_mapping_unload(info->space, 0x400000, ABI_LARGE, &n);
    } else if (is("scribble")) {
        scribble();
    }
    return 0;
}
