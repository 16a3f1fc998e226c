// main.c - spaces of activations in a booted machine.
#include "party.h"

unsigned test_main(void)
{
    struct counts before;

    check_error(sys_listen(info->thread), ERR_OK, "listen");
    before = counts_now();
    if (machine->threads >= 64) {        // else what is measured is loading them again and again
        test_shares();
        test_words();
        sleep_for(machine->slice);
        counts_check(&before, "nothing is left behind");
    }
    test_hostile();
    return failures();
}
