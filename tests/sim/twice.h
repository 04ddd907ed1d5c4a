/* The main program of a simulation: --seed N, --steps N, SLUICE_SIM_SEED. It is run twice, and the
 * same seed must give the same. */
#ifndef SLUICE_TESTS_SIM_TWICE_H
#define SLUICE_TESTS_SIM_TWICE_H

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t sim_run(uint64_t seed, unsigned steps, bool loud);
int sim_twice(const char *name, int argc, char **argv, sim_run *run);

#endif
