// main.c - the UNIX emulator's start: the file tree, the first process, and the service loop.
//
// What to run comes from the boot archive's boot/run: strings that each end with a NUL; settings
// (tty=MASK cwd=DIR rows=N cols=N input=none env=NAME=VALUE), an empty string, then the arguments.  A name without
// a slash is looked for in PATH.
#include <base.h>
#include <cpio.h>
#include <resources.h>
#include <sys.h>

#include "calls.h"
#include "path.h"
#include "signal.h"

AK_NOTE(ux_trap, ux_fault, ux_exception);

const char ak_name[] = "unix";

enum { LOW_FRAMES = 1024 };              // with fewer left, more memory is asked for
enum { ARGS_MAX = 256, ENV_MAX = 256, EXIT_NOT_FOUND = 127, EXIT_NOT_EXECUTABLE = 126 };

static struct {
    const char *argv[ARGS_MAX + 1];
    const char *envp[ENV_MAX + 1];
    const char *cwd, *path;
    uint64_t    tty, rows, cols;
    bool        no_input;
} run = {.cwd = "/", .path = "/bin:/usr/bin:/sbin:/usr/sbin"};

static uint64_t number(const char *text)
{
    uint64_t value = 0;
    (void)base_parse_number(&text, &value);
    return value;
}

// One that is not known is said and left out.
static void setting(const char *s, unsigned *env)
{
    if (strncmp(s, "tty=", 4) == 0) {
        run.tty = number(s + 4);
    } else if (strncmp(s, "cwd=", 4) == 0) {
        run.cwd = s + 4;
    } else if (strncmp(s, "rows=", 5) == 0) {
        run.rows = number(s + 5);
    } else if (strncmp(s, "cols=", 5) == 0) {
        run.cols = number(s + 5);
    } else if (strncmp(s, "env=", 4) == 0 && *env < ENV_MAX) {
        run.envp[(*env)++] = s + 4;
        if (strncmp(s + 4, "PATH=", 5) == 0) {
            run.path = s + 9;
        }
    } else if (strcmp(s, "input=none") == 0) {
        run.no_input = true;
    } else {
        ak_log("boot/run: unknown setting \"%s\"", s);
    }
}

// Is there a NUL in what is left?  The strings stay in the archive.
static bool read_run(const void *archive, size_t length)
{
    struct cpio_entry e;
    unsigned env = 0, argc = 0;
    bool arguments = false;

    if (!cpio_find(archive, length, "boot/run", &e)) {
        ak_log("the boot archive has no boot/run");
        return false;
    }
    const char *p = e.data, *end = p + e.size;
    while (p < end) {
        size_t n = strnlen(p, (size_t)(end - p));
        if (p + n == end) {
            ak_log("boot/run ends within a string");
            return false;
        }
        if (arguments && argc < ARGS_MAX) {
            run.argv[argc++] = p;
        } else if (!arguments && n == 0) {
            arguments = true;
        } else if (!arguments) {
            setting(p, &env);
        }
        p += n + 1;
    }
    if (argc == 0) {
        ak_log("boot/run names no program");
    }
    return argc > 0;
}

static int enter_directory(struct task *t, const char *name)
{
    struct path p;
    int e = path_kernel(t, name, WALK_FOLLOW, &p);

    if (e == 0 && !inode_is(p.inode, S_IFDIR)) {
        e = -ENOTDIR;
    }
    if (e == 0) {
        inode_put(t->fs->cwd);
        t->fs->cwd = p.inode;
        inode_get(p.inode);
    }
    path_put(&p);
    return e;
}

// Try the name in each directory of PATH.
static long execute(struct task *t)
{
    static char name[LINUX_PATH];
    const struct exec_strings own = {run.argv, run.envp};
    long e = -ENOENT, worst = -ENOENT;

    if (strchr(run.argv[0], '/') != NULL) {
        return task_exec(t, run.argv[0], 0, 0, &own);
    }
    for (const char *p = run.path; p != NULL; p = strchr(p, ':') != NULL ? strchr(p, ':') + 1 : NULL) {
        const char *colon = strchr(p, ':');
        size_t n = colon != NULL ? (size_t)(colon - p) : strlen(p);
        int length = base_format(name, sizeof(name), "%.*s/%s", (int)n, p, run.argv[0]);
        if ((size_t)length >= sizeof(name)) {
            continue;
        }
        e = task_exec(t, name, 0, 0, &own);
        if (e == 0) {
            return 0;
        }
        worst = e != -ENOENT && e != -ENOTDIR ? e : worst;
    }
    return worst;
}

static void complain(const char *what, const char *name, long error)
{
    ak_complain("cannot %s %s: %s (error %ld)", what, name, error == -ENOENT ? "it does not exist" : "it is refused",
                -error);
}

// The first process, on its own thread.
static void first_process(void *arg)
{
    struct task *t = arg;

    giant_lock(t);
    long e = enter_directory(t, run.cwd);
    if (e != 0) {
        complain("enter", run.cwd, e);
    } else {
        e = execute(t);
        if (e != 0) {
            complain("run", run.argv[0], e);
        }
    }
    if (e != 0) {
        task_exit(t, (e == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE) << 8);
    }
    giant_unlock();
    ux_return(t);
}

static bool start(void)
{
    struct task *t = task_create(NULL);

    if (t == NULL) {
        return false;
    }
    t->sighand = ak_alloc(sizeof(*t->sighand));
    t->fs = fs_context_create(fs_root());
    t->files = fd_table_create();
    if (t->sighand == NULL || t->fs == NULL || t->files == NULL) {
        return false;
    }
    t->sighand->users = 1;
    t->process->is_first = true;
    t->process->exit_signal = SIGCHLD;
    limits_init(t->process);
    task_insert(t);
    if (session_create(t) < 0) {
        return false;
    }
    fs_console_init(t->files, (unsigned)run.tty);
    if (run.rows != 0 && run.cols != 0) {
        fs_console_window((unsigned)run.rows, (unsigned)run.cols);
    }
    fs_console_attach(t);
    if (run.no_input) {
        fs_console_no_input();
    }
    sharing_start(&t->sharing, NULL, first_process, t);
    return true;
}

static void poll(void)
{
    console_poll();
    sharing_poll();
}

int ak_main(const struct kernel_info *info)
{
    const void *archive = ak_window(info->archive);
    uint32_t most = info->limits.max_priority;

    if (!read_run(archive, info->archive_length)) {
        return 125;
    }
    sharing_begin(most > 0 ? most - 1 : 0);      // the service thread goes first
    fs_init(archive, info->archive_length);
    if (!start()) {
        ak_log("not enough memory to start");
        return 125;
    }
    (void)resources_begin(LOW_FRAMES);
    return ak_service(poll);
}
