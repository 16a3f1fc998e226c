// main.c - the simulation as a native program (docs/native.md).
//
// Words: bodies=512 steps=2 threads=4 percent=100 ticks=150000 seed=1 name=1; struct setup in nbody.h says what they
// mean.  Prints its checksum, how many reads of the disk there were, and what the steps took by the parallel
// clock, and when they began.
#include <native.h>

#include "nbody.h"
#include "par.h"
#include "program.h"

// Also those of the threads library (threads_native.h).
static const char words[] = "bodies steps threads percent ticks seed name virtual processors interval spins";

int nbody_main(const struct native_info *info)
{
    static struct world world;
    struct setup s = {
        .bodies = (uint32_t)native_number("bodies", 512), .steps = (uint32_t)native_number("steps", 2),
        .threads = (uint32_t)native_number("threads", info->cpus), .percent = (uint32_t)native_number("percent", 100),
        .ticks = native_number("ticks", 150000), .seed = native_number("seed", 1), .theta = 0.5,
    };
    unsigned long name = (unsigned long)native_number("name", 1);
    const char *wrong = nbody_check(&s), *word;
    size_t length = native_wrong_word(words, &word);

    if (length != 0) {
        native_print("nbody %lu: this word means nothing: %.*s\n", name, (int)length, word);
        return 1;
    }
    if (wrong != NULL || !nbody_init(&world, &s)) {
        native_print("nbody %lu: %s\n", name, wrong != NULL ? wrong : "there is no memory");
        return 1;
    }
    uint64_t begin = par_clock();
    for (uint32_t i = 0; i < s.steps; i++) {
        nbody_step(&world);
    }
    uint64_t ticks = par_clock() - begin, sum = nbody_checksum(&world);
    native_print("nbody %lu: checksum %016lx misses %lu ticks %lu from %lu\n", name, (unsigned long)sum,
                 (unsigned long)nbody_misses(&world), (unsigned long)ticks, (unsigned long)begin);
    return sum == 0;
}
