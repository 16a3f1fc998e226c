// exec.c - execve: arguments, environment, scripts, errors, what stays and what goes, big argument lists.
// test: smp=1,2 cache=default,tiny
#include "show.h"

static char *self;

static int inner(int argc, char **argv)
{
    extern char **environ;
    say("inner: argc %d [%s] [%s]", argc, argv[0], argc > 2 ? argv[2] : "");
    for (int i = 0; environ[i]; i++) {
        say("environment: %s", environ[i]);
    }
    struct sigaction act;
    sigaction(SIGUSR1, NULL, &act);
    say("handled signal: %s", act.sa_handler == SIG_DFL ? "default" : act.sa_handler == SIG_IGN ? "ignored" : "?");
    sigaction(SIGUSR2, NULL, &act);
    say("ignored signal: %s", act.sa_handler == SIG_DFL ? "default" : act.sa_handler == SIG_IGN ? "ignored" : "?");
    sigset_t set;
    sigprocmask(SIG_BLOCK, NULL, &set);
    say("blocked: HUP %d INT %d", sigismember(&set, SIGHUP), sigismember(&set, SIGINT));
    sigpending(&set);
    say("pending: HUP %d", sigismember(&set, SIGHUP));
    stack_t stack;
    sigaltstack(NULL, &stack);
    say("alternate stack off: %d", (stack.ss_flags & SS_DISABLE) != 0);
    return 3;
}

static void handler(int s)
{
    (void)s;
}

static void keeps(void)
{
    static char stack[16384];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
    sigset_t set;
    signal(SIGUSR1, handler);
    signal(SIGUSR2, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGHUP);
    sigaltstack(&alternate, NULL);
    char *const argv[] = {"any name", "inner", "third one", NULL};
    char *const env[] = {"A=1", "B=two words", "C=", NULL};
    execve(self, argv, env);
    say("no exec: %s", error_name(errno));
}

static void errors(void)
{
    char *const argv[] = {"x", NULL}, *const env[] = {NULL};
    show(execve("nothing", argv, env));
    show(execve("", argv, env));
    show(execve(".", argv, env));
    file_put("plain", "just text\n");
    show(execve("plain", argv, env));
    chmod("plain", 0755);
    show(execve("plain", argv, env));
    show(execve("plain/x", argv, env));
    file_put("empty", "");
    chmod("empty", 0755);
    show(execve("empty", argv, env));
    file_put("badscript", "#!/no/such/interpreter\n");
    chmod("badscript", 0755);
    show(execve("badscript", argv, env));
    file_put("halfelf", "\177ELF\2\1\1");
    chmod("halfelf", 0755);
    show(execve("halfelf", argv, env));
    symlink("loop", "loop");
    show(execve("loop", argv, env));
    // Too much: one string above 128 KiB.
    char *big = malloc(200000);
    memset(big, 'x', 199999);
    big[199999] = 0;
    char *const huge[] = {"x", big, NULL};
    show(execve(self, huge, env));
}

// Damaged headers of a real program: refused or killed, the parent lives.
static void damaged(void)
{
    static unsigned char image[4096];
    int fd = open(self, O_RDONLY);
    ssize_t n = read(fd, image, sizeof(image));
    close(fd);
    static const struct {
        unsigned offset, size;
        unsigned long value;
    } damage[] = {
        {0, 1, 0}, {4, 1, 1}, {16, 2, 7}, {18, 2, 3}, {32, 8, 1ul << 60}, {32, 8, ~0ul}, {54, 2, 1}, {56, 2, 0},
        {56, 2, 65535}, {64 + 16, 8, 0xffff800000000000ul}, {64 + 8, 8, ~0ul}, {64 + 32, 8, 1ul << 50},
    };
    for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
        static unsigned char copy[4096];
        memcpy(copy, image, sizeof(copy));
        memcpy(copy + damage[i].offset, &damage[i].value, damage[i].size);
        fd = open("damaged", O_WRONLY | O_CREAT | O_TRUNC, 0755);
        (void)!write(fd, copy, (size_t)n);
        close(fd);
        pid_t pid = fork();
        if (pid == 0) {
            char *const argv[] = {"x", NULL}, *const env[] = {NULL};
            execve("damaged", argv, env);
            _exit(100);
        }
        int status;
        truth(waitpid(pid, &status, 0) == pid);
        truth(status != 0);
    }
}

static void scripts(void)
{
    static char text[4200];
    char *const argv[] = {"ignored", "one", "two", NULL}, *const env[] = {NULL};
    snprintf(text, sizeof(text), "#!%s script arg  with blanks \n", self);
    file_put("script", text);
    chmod("script", 0755);
    pid_t pid = fork();
    if (pid == 0) {
        execve("./script", argv, env);
        _exit(99);
    }
    int status;
    waitpid(pid, &status, 0);
    child_status("script", status);
    file_put("outer", "#!./script\n");
    chmod("outer", 0755);
    pid = fork();
    if (pid == 0) {
        execve("./outer", argv, env);
        _exit(99);
    }
    waitpid(pid, &status, 0);
    child_status("script of a script", status);
    file_put("selfish", "#!./selfish\n");
    chmod("selfish", 0755);
    show(execve("./selfish", argv, env));
}

static int script_inner(int argc, char **argv)
{
    say("script: argc %d", argc);
    for (int i = 1; i < argc; i++) {
        say("argument [%s]", argv[i]);
    }
    return 6;
}

static int count_inner(int argc, char **argv)
{
    unsigned long bytes = 0;
    for (int i = 0; i < argc; i++) {
        bytes += strlen(argv[i]) + 1;
    }
    say("many: %d arguments, %lu bytes", argc, bytes);
    return 0;
}

static void many(void)
{
    static char *argv[1003], word[101];
    memset(word, 'w', 100);
    argv[0] = "exec";
    argv[1] = "count";
    for (int i = 2; i < 1002; i++) {
        argv[i] = word;
    }
    char *const env[] = {NULL};
    execve(self, argv, env);
    say("no exec: %s", error_name(errno));
}

// The program chain: each replaces itself by the next, 30 times, in one process.
static int chain_inner(int argc, char **argv)
{
    int left = argc > 2 ? atoi(argv[2]) : 0;
    if (left == 0) {
        return 8;
    }
    char text[16];
    snprintf(text, sizeof(text), "%d", left - 1);
    execl(self, "exec", "chain", text, (char *)NULL);
    return 9;
}

static void chain(void)
{
    execl(self, "exec", "chain", "30", (char *)NULL);
}

int main(int argc, char **argv)
{
    self = realpath("/proc/self/exe", NULL);
    if (argc > 1 && strcmp(argv[1], "inner") == 0) {
        return inner(argc, argv);
    }
    if (argc > 1 && strncmp(argv[1], "script", 6) == 0) {
        return script_inner(argc, argv);
    }
    if (argc > 1 && strcmp(argv[1], "count") == 0) {
        return count_inner(argc, argv);
    }
    if (argc > 1 && strcmp(argv[1], "chain") == 0) {
        return chain_inner(argc, argv);
    }
    scratch_enter();
    in_child("keeps", keeps);
    in_child("errors", errors);
    in_child("damaged", damaged);
    in_child("scripts", scripts);
    in_child("many", many);
    in_child("chain", chain);
    return 0;
}
