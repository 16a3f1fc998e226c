// main.c - calls that only the first kernel may make; this kernel is booted as the first one, and alone.
// test: first=first smp=1,2,4 cache=default,small timeout=120
#include "first.h"

static void run(const char *name, void (*group)(void))
{
    struct counts before = counts_now();
    char line[64];

    note("%s", name);
    group();
    base_format(line, sizeof(line), "%s: free descriptors as before", name);
    counts_check(&before, line);
}

unsigned test_main(void)
{
    check_error(sys_listen(info->thread), ERR_OK, "listen");
    run("loading", test_loading);
    run("rights", test_rights);
    run("limits", test_limits);
    run("unloading", test_unloading);
    return failures();
}
