/* State changes of the sessions of all instances, for those who watch all sessions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/mem.h"
#include "net/session_view.h"

static struct str cut_line(struct str *rest)
{
    const char *nl = memchr(rest->p, '\n', rest->n);
    struct str line = {rest->p, nl ? (size_t)(nl - rest->p) : rest->n};
    rest->p += line.n + (nl ? 1 : 0);
    rest->n -= line.n + (nl ? 1 : 0);
    return line;
}

/* ---- saying ---- */

/* One that is too long for a message goes by its number: "<instance> <session> <seq>". */
static void announce_state(struct remote *r, struct id session_id, int64_t seq, struct str frame)
{
    struct cache *c = r->app->cache;
    char self[ID_TEXT_BYTES + 1], id[ID_TEXT_BYTES + 1];
    struct buf text;
    id_format(r->self, self);
    id_format(session_id, id);
    buf_init(&text, c->v->message_max);
    buf_printf(&text, "%s %s", self, id);
    if (text.len + 1 + frame.n <= c->v->message_max) {
        buf_append_char(&text, '\n');
        buf_append_str(&text, frame);
    } else {
        buf_printf(&text, " %lld", (long long)seq);
    }
    cache_publish(c, STR("states"), buf_str(&text));
    buf_deinit(&text);
}

void remote_announce_states(struct remote *r, struct id session_id, int64_t seq_first,
                            struct str frames)
{
    for (int64_t seq = seq_first; frames.n > 0; seq++) {
        struct str line = cut_line(&frames);
        if (event_is_state_change(line))
            announce_state(r, session_id, seq, line);
    }
}

/* ---- hearing ---- */

struct state_read {
    struct remote *remote;
    int64_t seq;
    struct store_events_read events;
};

static void state_was_read(struct store_req *req)
{
    struct state_read *s = req->data;
    struct log_hub *hub = s->remote->app->log;
    if (req->status == 0 && s->events.rows) {
        struct str rest = s->events.rows->frames;
        for (int64_t seq = s->events.rows->seq_first; rest.n > 0; seq++) {
            struct str line = cut_line(&rest);
            if (seq == s->seq && event_is_state_change(line))
                log_tell_watchers(hub, s->events.session_id, line);
        }
    }
    store_req_deinit(req);
    free(s);
}

static void state_read(struct remote *r, struct id session_id, int64_t seq)
{
    struct state_read *s = mem_zalloc(sizeof(*s));
    s->remote = r;
    s->seq = seq;
    store_req_init(&s->events.req, STORE_EVENTS_READ, state_was_read, s);
    s->events.session_id = session_id;
    s->events.after = seq - 1;
    s->events.limit = 1;
    s->events.bytes_max = 1;
    store_submit(r->app->store, &s->events.req);
}

void remote_states_heard(struct remote *r, struct str payload)
{
    struct id from, session_id;
    int64_t seq;
    if (!r->watched || !remote_cut_id(&payload, &from) || id_eq(from, r->self) ||
        payload.n < ID_TEXT_BYTES)
        return;
    bool has_frame = payload.n > ID_TEXT_BYTES && payload.p[ID_TEXT_BYTES] == '\n';
    if (!remote_cut_id(&payload, &session_id))
        return;
    if (!has_frame && remote_cut_number(&payload, &seq) && seq > 0)
        state_read(r, session_id, seq);
    else if (has_frame && event_is_state_change(payload) && !memchr(payload.p, '\n', payload.n))
        log_tell_watchers(r->app->log, session_id, payload);
}
