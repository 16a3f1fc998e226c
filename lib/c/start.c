// start.c - from the entry of an application kernel to main(), and its end.
//
// musl expects what Linux leaves on a new program's stack: argument strings, environment, auxiliary
// vector.  The arguments are the words of args="..." in the kernel's line of the policy file.
#include <base.h>
#include <sys.h>

#include "quoin_c.h"

enum {
    AT_NULL = 0, AT_PHDR = 3, AT_PHENT = 4, AT_PHNUM = 5, AT_PAGESZ = 6, AT_UID = 11, AT_EUID = 12,
    AT_GID = 13, AT_EGID = 14, AT_CLKTCK = 17, AT_SECURE = 23, AT_RANDOM = 25,
};
enum { MOST_ARGUMENTS = 32, STACK_FRAMES = 256, IMAGE = 0x400000 };

int main(int argc, char **argv);
int __libc_start_main(int (*main_)(int, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*loader)(void));

AK_NOTE(c_trap, c_fault, c_exception);

// argv, an empty environment, and the auxiliary vector, one behind the other.
struct start {
    const char *argv[MOST_ARGUMENTS + 1];
    uint64_t    words[64];
};

static char arguments[sizeof(((struct kernel_info *)0)->args)];
static uint64_t random_bytes[2];

// Cut the text behind args=" into words.
static unsigned split_arguments(const char *line, const char *argv[MOST_ARGUMENTS])
{
    static const char key[] = "args=\"";
    unsigned n = 0;

    argv[n++] = "kernel";
    for (; *line != '\0' && strncmp(line, key, sizeof(key) - 1) != 0; line++) {
    }
    if (*line == '\0') {
        return n;
    }
    size_t length = strlen(line + sizeof(key) - 1);
    memcpy(arguments, line + sizeof(key) - 1, length + 1);
    for (char *at = arguments; *at != '\0' && *at != '"' && n < MOST_ARGUMENTS;) {
        while (*at == ' ') {
            at++;
        }
        char *word = at;
        while (*at != '\0' && *at != ' ' && *at != '"') {
            at++;
        }
        if (at > word) {
            argv[n++] = word;
        }
        if (*at == '"') {
            *at = '\0';
        } else if (*at != '\0') {
            *at++ = '\0';
        }
    }
    return n;
}

// The ELF header and the program headers are at the beginning of the image: musl looks for thread-local
// data there.
static void fill_vector(uint64_t *v)
{
    uint64_t phoff;
    uint16_t phentsize, phnum;

    memcpy(&phoff, (const char *)IMAGE + 32, sizeof(phoff));
    memcpy(&phentsize, (const char *)IMAGE + 54, sizeof(phentsize));
    memcpy(&phnum, (const char *)IMAGE + 56, sizeof(phnum));
    const uint64_t pairs[] = {
        AT_PHDR,   IMAGE + phoff,
        AT_PHENT,  phentsize,
        AT_PHNUM,  phnum,
        AT_PAGESZ, ABI_PAGE,
        AT_CLKTCK, 100,
        AT_UID,    0,
        AT_EUID,   0,
        AT_GID,    0,
        AT_EGID,   0,
        AT_SECURE, 0,
        AT_RANDOM, (uint64_t)random_bytes,
        AT_NULL,   0,
    };
    memcpy(v, pairs, sizeof(pairs));
}

static struct start start;
static unsigned argument_count;

static _Noreturn void run(void)
{
    c_end(__libc_start_main(main, (int)argument_count, (char **)start.argv, NULL, NULL, NULL));
}

// C programs may want more stack than an application kernel's first thread has.
static _Noreturn void run_on(char *top)
{
    __asm__ volatile("movq %0, %%rsp; xorl %%ebp, %%ebp; call *%1; ud2" : : "r"(top), "r"(run) : "memory");
    __builtin_unreachable();
}

int ak_main(const struct kernel_info *info)
{
    // argv's terminating NULL is followed by that of the environment, and then by the vector.
    argument_count = split_arguments(info->args, start.argv);
    const char **end = &start.argv[argument_count];
    end[0] = end[1] = NULL;
    fill_vector((uint64_t *)(end + 2));
    if (c_getrandom(random_bytes, sizeof(random_bytes)) < 0) {
        random_bytes[0] = ak_now();      // it only varies where musl's heap keeps its secrets
    }
    pa_t stack = ak_frame_alloc_run(STACK_FRAMES);
    if (stack == 0) {
        ak_log("no memory for a stack");
        return 125;
    }
    run_on((char *)ak_window(stack) + STACK_FRAMES * ABI_PAGE);
}

void c_end(long value)
{
    for (;;) {
        (void)sys_thread_unload(0, (uint64_t)value);
    }
}
