// proc_text.c - what the files of /proc say.  Only what is known: a value that is not kept is left out.
#include <base.h>

#include "file.h"
#include "proc.h"

const char ux_ostype[] = "Linux", ux_release[] = "6.1.0-quoin", ux_version[] = "#1 SMP Quoin";
char ux_hostname[65] = "quoin";

void text_add(struct text *x, const char *format, ...)
{
    va_list arguments;
    size_t room = x->length < x->size ? x->size - x->length : 0;

    va_start(arguments, format);
    int n = base_vformat(room > 0 ? x->bytes + x->length : NULL, room, format, arguments);
    va_end(arguments);
    x->length += n > 0 ? (size_t)n : 0;
}

// From the process half: it gives how much there is, or as much as fits.
static int text_from(struct text *x, struct task *of, size_t (*give)(struct task *t, char *to, size_t size))
{
    x->length += give(of, x->bytes + x->length, x->size - x->length);
    return 0;
}

int proc_stat(struct task *t, struct task *of, struct text *x)
{
    (void)t;
    return text_from(x, of, ux_task_stat);
}

int proc_cmdline(struct task *t, struct task *of, struct text *x)
{
    (void)t;
    return text_from(x, of, ux_task_cmdline);
}

int proc_comm(struct task *t, struct task *of, struct text *x)
{
    (void)t;
    text_add(x, "%s\n", of->comm);
    return 0;
}

static const char *state_name(char state)
{
    switch (state) {
    case 'R': return "running";
    case 'S': return "sleeping";
    case 'D': return "disk sleep";
    case 'T': return "stopped";
    case 'Z': return "zombie";
    default: return "dead";
    }
}

int proc_status(struct task *t, struct task *of, struct text *x)
{
    const struct creds *c = &of->creds;
    const unsigned page_kb = ABI_PAGE / 1024;
    char state = ux_task_state(of);
    uint64_t total, resident;

    (void)t;
    text_add(x, "Name:\t%s\n", of->comm);
    if (of->fs != NULL) {
        text_add(x, "Umask:\t0%u%u%u\n", of->fs->umask >> 6, of->fs->umask >> 3 & 7, of->fs->umask & 7);
    }
    text_add(x, "State:\t%c (%s)\n", state, state_name(state));
    text_add(x, "Tgid:\t%d\nPid:\t%d\nPPid:\t%d\n", of->tgid, of->tid, ux_task_parent(of));
    text_add(x, "Uid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid, c->euid);
    text_add(x, "Gid:\t%u\t%u\t%u\t%u\n", c->gid, c->egid, c->sgid, c->egid);
    if (of->files != NULL) {
        text_add(x, "FDSize:\t%u\n", of->files->size);
    }
    text_add(x, "Groups:\t");
    for (unsigned k = 0; k < c->ngroups; k++) {
        text_add(x, "%u ", c->groups[k]);
    }
    ux_task_memory(of, &total, &resident);
    text_add(x, "\nVmSize:\t%8lu kB\nVmRSS:\t%8lu kB\n", total * page_kb, resident * page_kb);
    text_add(x, "Threads:\t%u\n", ux_task_threads(of));
    struct signal_sets s;
    ux_task_signals(of, &s);
    text_add(x, "SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n",
             (unsigned long)s.pending, (unsigned long)s.shared, (unsigned long)s.blocked, (unsigned long)s.ignored,
             (unsigned long)s.caught);
    return 0;
}

int proc_maps(struct task *t, struct task *of, struct text *x)
{
    char *line = big_alloc(LINUX_PATH_MAX);
    uint64_t at = 0;
    size_t n;

    if (line == NULL) {
        return -ENOMEM;
    }
    bool mine = t->creds.euid == 0 || t->creds.euid == of->creds.euid;
    while (mine && (n = ux_task_map_line(of, &at, line, LINUX_PATH_MAX - 1)) > 0) {
        line[n < LINUX_PATH_MAX - 1 ? n : LINUX_PATH_MAX - 1] = 0;
        text_add(x, "%s", line);
    }
    big_free(line, LINUX_PATH_MAX);
    return mine ? 0 : -EACCES;
}

int proc_mounts(struct task *t, struct task *of, struct text *x)
{
    char *buffer = big_alloc(LINUX_PATH_MAX);

    (void)of;
    if (buffer == NULL) {
        return -ENOMEM;
    }
    for (struct fs *fs = fs_mounted(); fs != NULL; fs = fs->next) {
        char *path;
        if (fs_path_of(fs->root, t->fs->root, buffer, LINUX_PATH_MAX, &path) == 0) {
            text_add(x, "%s %s %s rw,relatime 0 0\n", fs->source, path, fs->type);
        }
    }
    big_free(buffer, LINUX_PATH_MAX);
    return 0;
}

int proc_filesystems(struct task *t, struct task *of, struct text *x)
{
    (void)t, (void)of;
    for (struct fs *fs = fs_mounted(); fs != NULL; fs = fs->next) {
        text_add(x, "nodev\t%s\n", fs->type);
    }
    return 0;
}

int proc_meminfo(struct task *t, struct task *of, struct text *x)
{
    uint64_t total, available;

    (void)t, (void)of;
    ux_memory_info(&total, &available);
    text_add(x, "MemTotal:       %8lu kB\n", total / 1024);
    text_add(x, "MemFree:        %8lu kB\n", available / 1024);
    text_add(x, "MemAvailable:   %8lu kB\n", available / 1024);
    text_add(x, "SwapTotal:      %8u kB\nSwapFree:       %8u kB\n", 0, 0);
    return 0;
}

// The time that processors were idle is not kept: the second number of the line is missing.
int proc_uptime(struct task *t, struct task *of, struct text *x)
{
    uint64_t hundredths = ux_mono_ns() / 10000000;

    (void)t, (void)of;
    text_add(x, "%lu.%02lu\n", hundredths / 100, hundredths % 100);
    return 0;
}

static void cpuid(uint32_t leaf, uint32_t r[4])
{
    __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(0));
}

struct cpu_words {
    char vendor[13], model[49];
    uint32_t signature;
};

static void cpu_names(struct cpu_words *w)
{
    uint32_t r[4];

    memset(w, 0, sizeof(*w));
    cpuid(0, r);
    memcpy(w->vendor, &r[1], 4);
    memcpy(w->vendor + 4, &r[3], 4);
    memcpy(w->vendor + 8, &r[2], 4);
    cpuid(1, r);
    w->signature = r[0];
    cpuid(0x80000000, r);
    for (uint32_t k = 0; r[0] >= 0x80000004 && k < 3; k++) {
        uint32_t part[4];
        cpuid(0x80000002 + k, part);
        memcpy(w->model + 16 * k, part, 16);
    }
}

int proc_cpuinfo(struct task *t, struct task *of, struct text *x)
{
    struct cpu_words w;
    uint64_t khz = ak_system->tsc_hz / 1000;

    (void)t, (void)of;
    cpu_names(&w);
    unsigned family = w.signature >> 8 & 15, model = w.signature >> 4 & 15;
    model |= family == 6 || family == 15 ? w.signature >> 12 & 0xf0 : 0;
    family += family == 15 ? w.signature >> 20 & 0xff : 0;
    for (unsigned cpu = 0; cpu < ak_system->cpus; cpu++) {
        text_add(x, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n", cpu, w.vendor, family,
                 model);
        text_add(x, "model name\t: %s\nstepping\t: %u\ncpu MHz\t\t: %lu.%03lu\n\n", w.model, w.signature & 15,
                 khz / 1000, khz % 1000);
    }
    return 0;
}

int proc_version(struct task *t, struct task *of, struct text *x)
{
    (void)t, (void)of;
    text_add(x, "%s version %s %s\n", ux_ostype, ux_release, ux_version);
    return 0;
}

int proc_hostname(struct task *t, struct task *of, struct text *x)
{
    (void)t, (void)of;
    text_add(x, "%s\n", ux_hostname);
    return 0;
}

int proc_ostype(struct task *t, struct task *of, struct text *x)
{
    (void)t, (void)of;
    text_add(x, "%s\n", ux_ostype);
    return 0;
}

int proc_osrelease(struct task *t, struct task *of, struct text *x)
{
    (void)t, (void)of;
    text_add(x, "%s\n", ux_release);
    return 0;
}

int proc_osversion(struct task *t, struct task *of, struct text *x)
{
    (void)t, (void)of;
    text_add(x, "%s\n", ux_version);
    return 0;
}
