// host.c - the simulation as a plain program of the host: nbody_host BODIES STEPS THREADS SEED prints its checksum.
#include <stdio.h>
#include <stdlib.h>

#include "nbody.h"

int main(int argc, char **argv)
{
    static struct world world;

    if (argc != 5) {
        return 2;
    }
    struct setup s = {.bodies = (uint32_t)atoi(argv[1]), .steps = (uint32_t)atoi(argv[2]),
                      .threads = (uint32_t)atoi(argv[3]), .percent = 100, .seed = (uint64_t)atoll(argv[4]),
                      .theta = 0.5};
    if (nbody_check(&s) != NULL || !nbody_init(&world, &s)) {
        return 1;
    }
    for (uint32_t i = 0; i < s.steps; i++) {
        nbody_step(&world);
    }
    printf("%016llx\n", (unsigned long long)nbody_checksum(&world));
    return 0;
}
