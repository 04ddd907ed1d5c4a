/* Following a session while the caller waits. */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/curl_transfer.h"
#include "client/follow.h"

#define TURN_MS 60000

static int64_t now_ms(void)
{
    return (int64_t)(clock_mono_ns() / 1000000);
}

static bool take_interrupt(struct sluice_client *c)
{
    uint64_t count;

    return read(c->interrupts, &count, sizeof(count)) == sizeof(count);
}

/* One stream until it breaks or nothing more is wanted. */
static int follow_stream(struct follow *f, struct sluice_client *c, struct sluice_reply *reply)
{
    struct pollfd fd = {.fd = c->interrupts, .events = POLLIN};
    struct sluice_stream *s = sluice_stream_open(c, follow_request(f), follow_bytes, f);
    int rc = SLUICE_E_CANCELLED;

    if (!s)
        return reply_fail(reply, SLUICE_E_NOMEM, "out of memory");
    while (!follow_is_over(f) && sluice_stream_turn(s, &fd, 1, TURN_MS))
        if (fd.revents && take_interrupt(c))
            break;
    rc = sluice_stream_end(s, reply); /* cancelled when it goes on */
    sluice_stream_close(s);
    return rc;
}

static int follow_run(struct follow *f, struct sluice_client *c, struct sluice_reply *why)
{
    struct pollfd fd = {.fd = c->interrupts, .events = POLLIN};

    for (;;) {
        int rc = follow_stream(f, c, why);
        if (!follow_again(f, &rc, why, now_ms()))
            return rc;
        int64_t until = now_ms() + f->delay_ms;
        for (int64_t left = f->delay_ms; left > 0; left = until - now_ms())
            if (poll(&fd, 1, (int)left) > 0 && take_interrupt(c))
                return transfer_cancelled(why);
    }
}

static int follow_begin(struct follow *f, struct sluice_client *c, const char *session_id,
                        int64_t after, struct sluice_reply *why)
{
    struct sluice_reply own;

    follow_init(f, c, session_id, after, now_ms());
    int rc = follow_run(f, c, &own);
    follow_deinit(f);
    if (why)
        *why = own;
    else
        sluice_reply_free(&own);
    return rc;
}

int sluice_follow(struct sluice_client *c, const char *session_id, int64_t after,
                  int (*event)(void *data, const struct sluice_event *e), void *data,
                  struct sluice_reply *why)
{
    struct follow f = {.event = event, .data = data};

    return follow_begin(&f, c, session_id, after, why);
}

int sluice_hook(struct sluice_client *c, const char *session_id, int64_t after,
                int (*changed)(void *data, const struct sluice_change *ch), void *data,
                struct sluice_reply *why)
{
    struct follow f = {.changed = changed, .data = data};

    return follow_begin(&f, c, session_id, after, why);
}
