// main.c - the real-time kernel: runs periodic tasks and tells how many deadlines were missed.
//
// Its input is the file /etc/tasks of the boot archive's tree (tasks.h).  It boots as the first kernel, alone, or
// under srm beside others; docs/realtime.md says how, and what the output means.  It ends with 0 if no deadline was
// missed, with 1 if some were, with 2 if the tasks cannot be run, with 3 if something did not stay where it was locked.
// Cache Kernel, 3.
#include <base.h>
#include <cpio.h>
#include <device.h>
#include <sys.h>

#include "realtime.h"

enum { GOOD = 0, MISSED = 1, REFUSED = 2, LOST = 3 };

const char ak_name[] = "realtime";

static struct tasks input;

static void put(const char *format, ...)
{
    char line[200];
    va_list arguments;
    uint64_t taken;

    va_start(arguments, format);
    size_t n = (size_t)base_vformat(line, sizeof(line) - 1, format, arguments);
    va_end(arguments);
    n = n < sizeof(line) - 1 ? n : sizeof(line) - 2;
    line[n++] = '\n';
    for (size_t done = 0; done < n; done += taken) {
        if (device_write(ak_info, DEVICE_TERMINAL, line + done, n - done, &taken) != ERR_OK) {
            return;                      // this kernel was not given the console
        }
        if (taken == 0) {
            (void)sys_wait(ak_now() + ak_ticks_from_ns(100000));
        }
    }
}

static bool read_input(void)
{
    struct cpio_entry file;
    struct tasks_error error;

    if (!cpio_find(ak_window(ak_info->archive), ak_info->archive_length, "root/etc/tasks", &file)) {
        put("realtime: there is no /etc/tasks");
        return false;
    }
    if (!tasks_parse(&input, file.data, file.size, &error)) {
        put("realtime: /etc/tasks line %u: %s", error.line, error.text);
        return false;
    }
    return true;
}

// Whatever is not done when all is due has missed too.
static uint64_t misses_of(const struct task *t)
{
    return t->late + t->wanted - t->completed;
}

static int report(void)
{
    uint64_t releases = 0, completions = 0, misses = 0, latency = 0;

    for (unsigned i = 0; i < input.count; i++) {
        const struct task *t = &task[i];
        put("task %s processor %u releases %lu completions %lu misses %lu latency %lu start %lu response %lu",
            t->input->name, (unsigned)__builtin_ctzll(t->thread.turn.mask), (unsigned long)t->wanted,
            (unsigned long)t->completed, (unsigned long)misses_of(t), (unsigned long)t->latency,
            (unsigned long)t->start, (unsigned long)t->response);
        releases += t->wanted;
        completions += t->completed;
        misses += misses_of(t);
        latency = t->latency > latency ? t->latency : latency;
    }
    put("realtime releases %lu completions %lu misses %lu latency %lu lost %u clock %lu", (unsigned long)releases,
        (unsigned long)completions, (unsigned long)misses, (unsigned long)latency, tasks_wrong(),
        (unsigned long)ak_system->tsc_hz);
    return tasks_wrong() != 0 ? LOST : misses != 0 ? MISSED : GOOD;
}

static int run(void)
{
    const struct task_input *bad;

    if (!read_input()) {
        return REFUSED;
    }
    const char *wrong = tasks_prepare(&input, &bad);
    if (wrong != NULL) {
        put("realtime: %s%s%s", bad != NULL ? bad->name : "", bad != NULL ? ": " : "", wrong);
        return REFUSED;
    }
    tasks_start();
    (void)ak_service(tasks_poll);
    return report();
}

int ak_main(const struct kernel_info *info)
{
    int value = run();

    if (info->kernel == ak_system->kernel) {
        (void)sys_power_off((uint32_t)value);
    }
    return value;
}
