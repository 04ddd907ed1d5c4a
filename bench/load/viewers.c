/* Viewers that read one session in which nothing happens.
 *
 *     load viewers --port P --path /ws?... --viewers N
 *
 * A line `ready` when all of them have been told that they read on; they stay until standard input
 * ends.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"

static unsigned told_count;

static void framed(struct peer *p, const char *bytes, size_t count)
{
    (void)p;
    if (memmem(bytes, count, "\"subscribed\"", 12))
        told_count++;
}

int load_viewers(void)
{
    static const struct peer_calls calls = {.frame = framed};
    unsigned count = (unsigned)option_number("viewers", 10000);
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char text[16];

    for (unsigned i = 0; i < count; i++) {
        peer_socket(&calls, NULL, option("path", "/ws"));
        client_turn(0);
    }
    while (told_count < count)
        client_turn(1000);
    printf("ready\n");
    fflush(stdout);
    while (poll(&input, 1, 0) == 0 || read(STDIN_FILENO, text, sizeof(text)) > 0)
        client_turn(100); /* the server's pings are read, and not answered: it is over before */
    return 0;
}
