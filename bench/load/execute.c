/* Execute: so many sessions more, and nothing measured: for what a scenario prepares.
 *
 *     load execute --port P --workflow ID --count N
 */
#include <stdio.h>
#include <stdlib.h>

#include "sessions.h"

int load_execute(void)
{
    size_t count = (size_t)option_number("count", 1000);
    char(*ids)[ID_TEXT] = calloc(count, sizeof(*ids));
    uint64_t begin = now_ns();

    if (!ids)
        die("sessions");
    sessions_execute(option("workflow", "ask"), "{\"n\":1}", count, ids);
    printf("{\"sessions\":%zu,\"seconds\":%.3f}\n", count, (double)(now_ns() - begin) / 1e9);
    free(ids);
    return 0;
}
