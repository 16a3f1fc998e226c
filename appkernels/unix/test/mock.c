// mock.c - see mock.h.
#include "mock.h"

#include <resources.h>
#include <stdio.h>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p))
#endif

// The window begins where the sanitizer keeps its shadow: so the machine's memory begins at 1 TiB.
enum { FRAMES = 16384 };
#define MEMORY (1ull << 40)

struct task mock_task;
static struct task second;
static struct session session;
bool (*mock_on_sleep)(void);
unsigned mock_sleeps, mock_wakes, mock_frames_left = FRAMES;
int mock_signals[64], mock_signal_group, mock_tty_check;
struct tty *mock_terminal;
char mock_screen[65536];
size_t mock_screen_length, mock_screen_takes = SIZE_MAX;
uint64_t mock_now = 1700000000ull * 1000000000;
va_t mock_user_from = ABI_PAGE, mock_user_to = ABI_USER_END;
uint64_t mock_limit[16];
unsigned mock_truncated;
struct ak_mutex giant;
static struct system_info system_info = {.cpus = 2, .tsc_hz = 1000000000};
const struct system_info *ak_system = &system_info;
static const struct kernel_info kernel_info;
const struct kernel_info *ak_info = &kernel_info;

static unsigned users[FRAMES];
static unsigned frames_used;
static size_t objects;

// ---- memory -----------------------------------------------------------------------------------------------

unsigned mock_frames_used(void)
{
    return frames_used;
}

size_t mock_objects_used(void)
{
    return objects;
}

static unsigned frame_index(pa_t frame)
{
    return frame >= MEMORY ? (unsigned)((frame - MEMORY) / ABI_PAGE) : FRAMES;
}

pa_t ak_frame_alloc_run(unsigned count)
{
    static unsigned next;

    if (mock_frames_left < count) {
        return 0;
    }
    for (unsigned tries = 0; tries < FRAMES; tries++) {
        unsigned at = (next + tries) % FRAMES, n = 0;
        while (n < count && at + n < FRAMES && users[at + n] == 0) {
            n++;
        }
        if (n == count) {
            void *p = ak_window(MEMORY + (pa_t)at * ABI_PAGE);
            ASAN_UNPOISON_MEMORY_REGION(p, (size_t)count * ABI_PAGE);
            memset(p, 0xa5, (size_t)count * ABI_PAGE);
            for (unsigned k = 0; k < count; k++) {
                users[at + k] = 1;
            }
            next = (at + count) % FRAMES;
            frames_used += count;
            mock_frames_left -= count;
            return MEMORY + (pa_t)at * ABI_PAGE;
        }
    }
    return 0;
}

pa_t ak_frame_alloc_large(void)
{
    return 0;                              // no 2 MiB in a row
}

pa_t ak_frame_alloc(void)
{
    return ak_frame_alloc_run(1);
}

pa_t ak_frame_alloc_in(uint32_t cluster)
{
    assert_true(cluster == AK_CLUSTER_ANY);
    return ak_frame_alloc_run(1);
}

pa_t resources_frame(void)               // nobody has more
{
    return ak_frame_alloc();
}

void ak_frame_get(pa_t frame)
{
    if (frame_index(frame) < FRAMES) {
        assert_true(users[frame_index(frame)]++ > 0);
    }
}

void ak_frame_put(pa_t frame)
{
    unsigned k = frame_index(frame);

    if (k < FRAMES) {
        assert_true(users[k] > 0);
        if (--users[k] == 0) {
            frames_used--;
            mock_frames_left++;
            ASAN_POISON_MEMORY_REGION(ak_window(frame), ABI_PAGE);
        }
    }
}

unsigned ak_frame_users(pa_t frame)
{
    return frame_index(frame) < FRAMES ? users[frame_index(frame)] : 2;
}

// No region shows a file here.
void ak_space_finish(oid_t space)
{
    (void)space;
    abort();
}

void *ak_alloc(size_t size)
{
    if (mock_frames_left == 0) {
        return NULL;
    }
    objects++;
    return calloc(1, size);
}

void ak_free(void *p, size_t size)
{
    (void)size;
    objects--;
    free(p);
}

// ---- the process half -------------------------------------------------------------------------------------

static bool good(va_t at, size_t length)
{
    return at >= mock_user_from && at < mock_user_to && length <= mock_user_to - at;
}

int ux_copy_in(struct task *t, void *to, va_t from, size_t length)
{
    (void)t;
    if (length > 0 && !good(from, length)) {
        return -EFAULT;
    }
    if (length > 0) {
        memcpy(to, (const void *)from, length);
    }
    return 0;
}

int ux_copy_out(struct task *t, va_t to, const void *from, size_t length)
{
    (void)t;
    if (length > 0 && !good(to, length)) {
        return -EFAULT;
    }
    if (length > 0) {
        memcpy((void *)to, from, length);
    }
    return 0;
}

long ux_copy_string(struct task *t, char *to, va_t from, size_t size)
{
    (void)t;
    if (!good(from, 1)) {
        return -EFAULT;
    }
    size_t n = strnlen((const char *)from, size < mock_user_to - from ? size : mock_user_to - from);
    if (n == mock_user_to - from) {
        return -EFAULT;
    }
    if (n == size) {
        return -ENAMETOOLONG;
    }
    memcpy(to, (const char *)from, n + 1);
    return (long)n;
}

int ux_sleep(struct task *t, struct waitq *q, uint64_t deadline)
{
    return ux_sleep_many(t, &q, 1, deadline);
}

int ux_sleep_many(struct task *t, struct waitq **q, unsigned count, uint64_t deadline)
{
    (void)t, (void)q, (void)count;
    mock_sleeps++;
    if (mock_on_sleep != NULL && mock_on_sleep()) {
        return 0;
    }
    if (deadline != 0) {
        mock_now = deadline > mock_now ? deadline : mock_now;
        return -ETIMEDOUT;
    }
    return -EINTR;
}

void ux_wake(struct waitq *q)
{
    (void)q;
    mock_wakes++;
}

void ux_mask_for_call(struct task *t, uint64_t mask)
{
    t->blocked = mask;
}

void ux_signal_group(int pgid, int signal)
{
    mock_signals[signal]++;
    mock_signal_group = pgid;
}

void ux_signal_task(struct task *t, int signal)
{
    (void)t;
    mock_signals[signal]++;
}

int ux_tty_check(struct task *t, int foreground_pgid, int signal)
{
    (void)t, (void)foreground_pgid;
    mock_signals[signal]++;
    return mock_tty_check;
}

uint64_t ux_limit(struct task *t, unsigned which)
{
    (void)t;
    return which < 16 ? mock_limit[which] : UINT64_MAX;
}

void ux_file_truncated(struct inode *i, uint64_t size)
{
    (void)i, (void)size;
    mock_truncated++;
}

uint64_t ux_wall_ns(void)
{
    return ++mock_now;
}

uint64_t ux_mono_ns(void)
{
    return ++mock_now;
}

uint64_t ux_deadline(uint64_t ns_from_now)
{
    return mock_now + ns_from_now;
}

struct task *ux_task_find(int tid)
{
    return tid == mock_task.tid ? &mock_task : tid == second.tid && tid != 0 ? &second : NULL;
}

struct task *ux_task_next(struct task *after)
{
    if (after == NULL) {
        return &mock_task;
    }
    return after == &mock_task && second.tid != 0 ? &second : NULL;
}

struct task *mock_second(int pid)
{
    second.tid = second.tgid = second.pgid = pid;
    second.session = &session;
    return &second;
}

size_t ux_task_stat(struct task *t, char *buffer, size_t size)
{
    return (size_t)snprintf(buffer, size, "%d (%s) R %d %d %d\n", t->tid, t->comm, 0, t->pgid, 1);
}

size_t ux_task_cmdline(struct task *t, char *buffer, size_t size)
{
    // Longer than the first buffer that is tried, to have it made again.
    size_t n = size < 5000 ? size : 5000;

    (void)t;
    memset(buffer, 'x', n);
    return n;
}

char ux_task_state(struct task *t)
{
    (void)t;
    return 'R';
}

int ux_task_parent(struct task *t)
{
    return t->tid - 1;
}

unsigned ux_task_threads(struct task *t)
{
    (void)t;
    return 1;
}

void ux_task_memory(struct task *t, uint64_t *total_pages, uint64_t *resident_pages)
{
    (void)t;
    *total_pages = 100;
    *resident_pages = 10;
}

size_t ux_task_map_line(struct task *t, uint64_t *at, char *buffer, size_t size)
{
    (void)t;
    return (*at += ABI_PAGE) < 200 * ABI_PAGE ? (size_t)snprintf(buffer, size, "%08lx a line of the map\n", *at) : 0;
}

void ux_memory_info(uint64_t *total_bytes, uint64_t *free_bytes)
{
    *total_bytes = (uint64_t)FRAMES * ABI_PAGE;
    *free_bytes = (uint64_t)mock_frames_left * ABI_PAGE;
}

void ux_random(void *to, size_t length)
{
    memset(to, 7, length);
}

void ak_log(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

void ak_panic(const char *format, ...)
{
    printf("panic: %s\n", format);
    abort();
}

// ---- the console ------------------------------------------------------------------------------------------

static size_t screen_put(struct tty *y, const uint8_t *bytes, size_t n)
{
    (void)y;
    n = n < mock_screen_takes ? n : mock_screen_takes;
    n = n < sizeof(mock_screen) - 1 - mock_screen_length ? n : sizeof(mock_screen) - 1 - mock_screen_length;
    memcpy(mock_screen + mock_screen_length, bytes, n);
    mock_screen_length += n;
    mock_screen[mock_screen_length] = 0;
    return n;
}

static void screen_drained(struct tty *y)
{
    (void)y;
}

struct tty *console_terminal(void)
{
    return mock_terminal;
}

int console_open_stream(struct task *t, struct inode *i, struct file *f)
{
    (void)t, (void)i, (void)f;
    return -ENXIO;
}

// ---- begin and end ----------------------------------------------------------------------------------------

void mock_begin(const void *archive, size_t length)
{
    static const struct tty_driver driver = {.put = screen_put, .drained = screen_drained, .polled = true};
    void *at = ak_window(MEMORY);

    if (mmap(at, (size_t)FRAMES * ABI_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
             -1, 0) != at) {
        perror("mmap");
        abort();
    }
    ASAN_POISON_MEMORY_REGION(at, (size_t)FRAMES * ABI_PAGE);
    fs_init(archive, length);
    memset(mock_limit, 0xff, sizeof(mock_limit));
    mock_terminal = tty_create(&driver);
    mock_task.tid = mock_task.tgid = mock_task.pgid = 1;
    mock_task.session = &session;
    session.sid = 1;
    strcpy(mock_task.comm, "test");
    mock_task.files = fd_table_create();
    mock_task.fs = fs_context_create(fs_root());
    assert_non_null(mock_task.files);
    assert_non_null(mock_task.fs);
}

void mock_end(void)
{
    fd_table_put(mock_task.files);
    mock_task.files = fd_table_create();
}

void ux_task_signals(const struct task *t, struct signal_sets *s)
{
    (void)t;
    *s = (struct signal_sets){0};
}
