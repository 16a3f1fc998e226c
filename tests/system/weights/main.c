// main.c - a kernel with a program that wants all processors: it has what the policy's weights say.
//
// args="N" is the part that it should have, in percent.
#include "../activations/party.h"

enum { PRIORITY = 5, BEGIN = 150, MEASURE = 320, END = 600 };             // moments in slices

static struct party party;

static uint32_t expected(void)
{
    for (const char *at = info->args; *at != '\0'; at++) {
        if (strncmp(at, "args=\"", 6) == 0) {
            uint64_t n = 0;
            at += 6;
            return base_parse_number(&at, &n) ? (uint32_t)n : 0;
        }
    }
    return 0;
}

unsigned test_main(void)
{
    uint64_t begun = now(), percent = expected(), ran, since;

    check_error(sys_listen(info->thread), ERR_OK, "listen");
    party_make(&party, PRIORITY, WELL_BEHAVED, machine->cpus);
    party_keep(&party);
    sleep_for(BEGIN * machine->slice);   // until the other kernels are there, too
    ran = party_ran(&party);
    since = now();
    sleep_for(MEASURE * machine->slice);
    uint64_t got = (party_ran(&party) - ran) * 100 / (now() - since) / machine->cpus;
    check(got * 10 + 10 >= percent * 9 && got * 10 <= percent * 11 + 10, "its part of the processors",
          "%lu percent, not %lu", (unsigned long)got, (unsigned long)percent);
    note("%lu percent", (unsigned long)got);
    while (now() - begun < END * machine->slice) {
        sleep_for(machine->slice);       // the others are not done
    }
    (void)party_steps(&party);
    party_end(&party);
    return failures();
}
