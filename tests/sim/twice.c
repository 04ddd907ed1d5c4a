#include "twice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int sim_twice(const char *name, int argc, char **argv, sim_run *run)
{
    const char *env = getenv("SLUICE_SIM_SEED");
    uint64_t seed = env ? strtoull(env, NULL, 0) : (uint64_t)time(NULL);
    unsigned steps = 10000;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--seed"))
            seed = strtoull(argv[i + 1], NULL, 0);
        if (!strcmp(argv[i], "--steps"))
            steps = (unsigned)strtoul(argv[i + 1], NULL, 0);
    }
    printf("%s --seed %llu --steps %u\n", name, (unsigned long long)seed, steps);
    fflush(stdout);
    uint64_t first = run(seed, steps, true);
    uint64_t second = run(seed, steps, false);
    if (first != second) {
        fprintf(stderr, "the same seed gave another run: %llx, %llx\n", (unsigned long long)first,
                (unsigned long long)second);
        return 1;
    }
    printf("ok %016llx\n", (unsigned long long)first);
    return 0;
}
