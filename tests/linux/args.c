// args.c - what a program finds at its start: arguments, environment, auxiliary vector, stack, registers.
// test: smp=1,2,4 cache=default args="a b"
#include "show.h"
#include <elf.h>
#include <sys/auxv.h>

extern char **environ;

static void vector_say(char **argv)
{
    say("argv NULL-terminated: %s", argv[0] ? "yes" : "empty");
    for (int i = 0; argv[i]; i++) {
        say("argv[%d]=[%s]", i, i == 0 ? "program" : argv[i]);
    }
}

static void auxv_say(void)
{
    truth(getauxval(AT_PAGESZ) == 4096);
    truth(getauxval(AT_PHENT) == sizeof(Elf64_Phdr));
    truth(getauxval(AT_PHNUM) > 2 && getauxval(AT_PHNUM) < 20);
    truth(getauxval(AT_ENTRY) != 0);
    truth(getauxval(AT_SECURE) == 0);
    truth(getauxval(AT_UID) == getuid());
    truth(getauxval(AT_EUID) == geteuid());
    truth(getauxval(AT_GID) == getgid());
    truth(getauxval(AT_EGID) == getegid());
    truth(getauxval(AT_CLKTCK) == 100);
    const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
    truth(random != NULL);
    unsigned any = 0;
    for (int i = 0; random && i < 16; i++) {
        any |= random[i];
    }
    truth(any != 0);
    const Elf64_Phdr *ph = (const Elf64_Phdr *)getauxval(AT_PHDR);
    unsigned loads = 0, entry_inside = 0;
    for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++) {
        if (ph[i].p_type != PT_LOAD) {
            continue;
        }
        loads++;
        unsigned long entry = getauxval(AT_ENTRY);
        entry_inside += entry >= ph[i].p_vaddr && entry < ph[i].p_vaddr + ph[i].p_memsz;
    }
    truth(loads >= 2);
    say("entry in %u segment", entry_inside);
    const char *name = (const char *)getauxval(AT_EXECFN);
    truth(name && strstr(name, "args") != NULL);
}

int main(int argc, char **argv)
{
    say("argc=%d", argc);
    vector_say(argv);
    truth(environ != NULL);
    truth(environ == argv + argc + 1);
    truth(getenv("NO_SUCH_VARIABLE") == NULL);
    say("TEST_VALUE=[%s]", getenv("TEST_VALUE") ? getenv("TEST_VALUE") : "(unset)");
    auxv_say();
    char here;
    truth((uintptr_t)&here < (uintptr_t)argv);
    truth((uintptr_t)argv % 8 == 0);
    truth((uintptr_t)argv < 0x7ffffffff000ul);
    return 7;
}
