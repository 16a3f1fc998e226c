// main.c - spaces of activations in a booted machine; args="timers": only those, by exact counts.
#include "party.h"

static bool has_word(const char *word)
{
    for (const char *at = info->args; *at != '\0'; at++) {
        if (strncmp(at, word, strlen(word)) == 0) {
            return true;
        }
    }
    return false;
}

unsigned test_main(void)
{
    struct counts before;

    check_error(sys_listen(info->thread), ERR_OK, "listen");
    before = counts_now();
    if (has_word("timers")) {
        test_timers();
        return failures();
    }
    if (machine->threads >= 64) {        // else what is measured is loading them again and again
        test_shares();
        test_words();
        sleep_for(machine->slice);
        counts_check(&before, "nothing is left behind");
    }
    test_hostile();
    return failures();
}
