/* The load client: `load SCENARIO --port P [--flag value]...`; one JSON line on stdout. */
#include <stdio.h>
#include <string.h>

#include "client.h"

/* clang-format off */
/* One line a scenario, sorted. */
static const struct {
    const char *name;
    int (*run)(void);
} scenarios[] = {
    {"execute", load_execute},
    {"fanout", load_fanout},
    {"pause", load_pause},
    {"resume", load_resume},
    {"soak", load_soak},
    {"viewers", load_viewers},
    {"tokens", load_tokens},
    {"w1", load_w1},
};
/* clang-format on */

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
        if (strcmp(argv[1], scenarios[i].name) == 0) {
            client_init(argc, argv);
            return scenarios[i].run();
        }
    fprintf(stderr, "usage: load SCENARIO --port P [--flag value]...\n");
    return 2;
}
