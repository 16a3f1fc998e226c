// host.c - the wind tunnel as a plain program of the host: what the application kernel must print.
//
//     mp3d_host [WORDS]        words as in sim/words.c; input=FILE reads more of them
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static struct sim *sim;
static pthread_barrier_t meeting;

void sim_barrier(struct sim *s, unsigned me)
{
    (void)s;
    (void)me;
    pthread_barrier_wait(&meeting);
}

void sim_mark(struct sim *s, enum sim_mark mark)
{
    (void)s;
    (void)mark;
}

static void *work(void *number)
{
    sim_work(sim, (unsigned)(uintptr_t)number);
    return NULL;
}

static void run(void)
{
    pthread_t thread[SIM_THREADS];
    unsigned n = sim->setup.threads;

    pthread_barrier_init(&meeting, NULL, n);
    for (unsigned i = 0; i < n; i++) {
        if (pthread_create(&thread[i], NULL, work, (void *)(uintptr_t)i) != 0) {
            perror("mp3d_host");
            exit(2);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        pthread_join(thread[i], NULL);
    }
    pthread_barrier_destroy(&meeting);
}

static void put_line(const char *text)
{
    puts(text);
}

static bool take(struct sim_setup *s, const char *text, size_t length)
{
    const char *bad;
    size_t n;

    if (sim_words(s, text, length, &bad, &n)) {
        return true;
    }
    fprintf(stderr, "mp3d_host: not understood: %.*s\n", (int)n, bad);
    return false;
}

static bool take_file(struct sim_setup *s, const char *name)
{
    static char text[1 << 16];
    FILE *file = fopen(name, "r");

    if (file == NULL) {
        perror(name);
        return false;
    }
    size_t n = fread(text, 1, sizeof(text), file);
    fclose(file);
    return take(s, text, n);
}

int main(int argc, char **argv)
{
    struct sim_setup setup;

    sim_defaults(&setup);
    for (int i = 1; i < argc; i++) {
        bool file = strncmp(argv[i], "input=", 6) == 0;
        if (file ? !take_file(&setup, argv[i] + 6) : !take(&setup, argv[i], strlen(argv[i]))) {
            return 2;
        }
    }
    const char *wrong = sim_check(&setup);
    if (wrong != NULL) {
        fprintf(stderr, "mp3d_host: %s\n", wrong);
        return 2;
    }
    static struct sim memory;
    sim = &memory;
    sim->setup = setup;
    size_t size = sim_layout(sim, SIM_PAGE);
    void *area = aligned_alloc(SIM_PAGE, size);
    if (area == NULL) {
        perror("mp3d_host");
        return 2;
    }
    memset(area, 0, size);
    (void)sim_layout(sim, (uintptr_t)area);
    run();
    free(area);
    if (sim->failed) {
        return 3;
    }
    sim_report(sim, put_line);
    return 0;
}
