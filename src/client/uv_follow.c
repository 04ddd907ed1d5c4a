/* Following a session on a uv loop of the caller's. */
#include <stdlib.h>

#include "client/curl_start.h"
#include "client/follow.h"

struct sluice_follower {
    struct sluice_loop *loop;
    struct list link; /* in loop->followers */
    struct follow follow;
    struct sluice_pending *stream; /* or NULL: between two */
    uv_timer_t timer;
    bool stopping;
    bool cancelled; /* by the loop's close */
    int result;
    struct sluice_reply why;
    void (*done)(void *data, int result, struct sluice_reply *why);
    void *data;
};

static void follower_timer_closed(uv_handle_t *handle)
{
    struct sluice_follower *f = handle->data;
    struct sluice_loop *l = f->loop;
    struct sluice_reply why = f->why;
    void (*done)(void *, int, struct sluice_reply *) = f->done;
    void *data = f->data;
    int result = f->result;

    list_remove(&f->link);
    follow_deinit(&f->follow);
    free(f);
    done(data, result, &why);
    loop_maybe_closed(l); /* done() cannot have freed it: that takes the loop's next turn */
}

static void follower_end(struct sluice_follower *f, int result)
{
    f->result = result;
    uv_close((uv_handle_t *)&f->timer, follower_timer_closed);
}

static void follower_connect(struct sluice_follower *f);

static void follower_timer_fired(uv_timer_t *timer)
{
    follower_connect(timer->data);
}

static void follower_over(void *data, int result, struct sluice_reply *reply)
{
    struct sluice_follower *f = data;
    struct follow *o = &f->follow;

    f->stream = NULL;
    if (follow_again(o, &result, reply, (int64_t)uv_now(f->loop->uv))) {
        uv_timer_start(&f->timer, follower_timer_fired, (uint64_t)o->delay_ms, 0);
        return;
    }
    f->why = *reply;
    follower_end(f, result);
}

static void follower_bytes(void *data, const char *bytes, size_t count)
{
    struct sluice_follower *f = data;

    if (f->stopping)
        return;
    follow_bytes(&f->follow, bytes, count);
    if (follow_is_over(&f->follow) && f->stream && !f->stopping) {
        f->stopping = true;
        sluice_cancel(f->stream);
    }
}

static void follower_connect(struct sluice_follower *f)
{
    f->stream = loop_start(f->loop, follow_request(&f->follow), follower_bytes, follower_over, f);
    if (!f->stream) {
        reply_fail(&f->why, SLUICE_E_NOMEM, "out of memory");
        follower_end(f, SLUICE_E_NOMEM);
    }
}

void sluice_follow_stop(struct sluice_follower *f)
{
    if (f->stopping || uv_is_closing((uv_handle_t *)&f->timer))
        return;
    f->stopping = true;
    f->follow.is_stopped = !f->cancelled;
    if (f->stream) {
        sluice_cancel(f->stream);
        return;
    }
    uv_timer_stop(&f->timer);
    if (f->cancelled)
        follower_end(f, transfer_cancelled(&f->why));
    else
        follower_end(f, reply_fail(&f->why, SLUICE_OK, ""));
}

void loop_stop_followers(struct sluice_loop *l)
{
    struct list *next;

    for (struct list *at = l->followers.next; at != &l->followers; at = next) {
        struct sluice_follower *f = container_of(at, struct sluice_follower, link);
        next = at->next; /* none is freed before the loop turns */
        if (!f->stopping)
            f->cancelled = true;
        sluice_follow_stop(f);
    }
}

static struct sluice_follower *follower_create(
    struct sluice_loop *l, const char *session_id, int64_t after, const struct follow *how,
    void (*done)(void *data, int result, struct sluice_reply *why), void *data)
{
    struct sluice_follower *f = l->closing ? NULL : calloc(1, sizeof(*f));

    if (!f)
        return NULL;
    f->loop = l;
    f->done = done;
    f->data = data;
    f->follow = *how;
    follow_init(&f->follow, l->client, session_id, after, (int64_t)uv_now(l->uv));
    uv_timer_init(l->uv, &f->timer);
    f->timer.data = f;
    list_append(&l->followers, &f->link);
    follower_connect(f);
    return f;
}

struct sluice_follower *sluice_follow_start(
    struct sluice_loop *l, const char *session_id, int64_t after,
    int (*event)(void *data, const struct sluice_event *e),
    void (*done)(void *data, int result, struct sluice_reply *why), void *data)
{
    struct follow how = {.event = event, .data = data};

    return follower_create(l, session_id, after, &how, done, data);
}

struct sluice_follower *sluice_hook_start(
    struct sluice_loop *l, const char *session_id, int64_t after,
    int (*changed)(void *data, const struct sluice_change *ch),
    void (*done)(void *data, int result, struct sluice_reply *why), void *data)
{
    struct follow how = {.changed = changed, .data = data};

    return follower_create(l, session_id, after, &how, done, data);
}
