#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/replay.h"

/* What people say while nobody asks. It goes with every model call of a kind that hears
 * (kind_hears) which begins from then on, as a user message, until one of those that had it has
 * ended: a panel that starts at once hears it as a whole, and the next round does not hear it
 * twice.
 *
 *     said ──> waits (n ascends) ──> a call begins: its request has all that wait, c->said is the
 *                                    newest n ──> it ends: what is not newer than c->said goes
 *
 * A conversation with tools keeps what it has heard among its own messages (chat.h). */

struct said {
    struct list link;
    int64_t n;
    int64_t replayed_seq; /* of its event in the log that is being replayed; else 0 */
    struct str json;      /* heap: {n, content, user_id?} */
};

#define said_of(it) container_of(it, struct said, link)

bool kind_hears(enum node_kind k)
{
    return k == KIND_LLM || k == KIND_AGENT || k == KIND_END || k == KIND_VOTE;
}

static void said_drop(struct session *s, struct said *g)
{
    list_remove(&g->link);
    s->said_count--;
    s->said_bytes -= g->json.n;
    free((char *)g->json.p);
    free(g);
    s->core_dirty = true;
}

void said_free(struct session *s)
{
    while (!list_empty(&s->said))
        said_drop(s, said_of(s->said.next));
}

/* ---- said ---- */

static void said_append(struct session *s, int64_t n, struct str json)
{
    struct said *g = mem_zalloc(sizeof(*g));
    g->n = n;
    own_set(&g->json, json);
    list_append(&s->said, &g->link);
    s->said_count++;
    s->said_bytes += json.n;
    s->core_dirty = true;
}

/* The oldest make room: what no model has heard so far it will not hear now. */
static void said_trim(struct session *s)
{
    unsigned lost = 0;
    while (s->said_count > SAID_MAX || (s->said_bytes > SAID_BYTES_MAX && s->said_count > 1)) {
        said_drop(s, said_of(s->said.next));
        lost++;
    }
    if (lost)
        event_log(s, -1, "warn",
                  STR("More was said than can wait for a model: the oldest will not be heard."));
}

int said_check(const struct engine_input *in, struct errbuf *e)
{
    if (in->content.n <= SAID_CONTENT_MAX)
        return 0;
    return err_set(e, ERR_TOO_LARGE, "Nobody has asked, and models hear %u bytes at most.",
                   SAID_CONTENT_MAX);
}

int said_later(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    unsigned count = 0;
    int rc = said_check(in, e);
    list_foreach(it, &s->withheld) count +=
        container_of(it, struct withheld, link)->kind == IN_USER_INPUT;
    if (!rc && count >= SAID_MAX)
        rc = err_set(e, ERR_CONFLICT, "Enough was said in this pause: resume the session first.");
    if (!rc)
        withhold(s, in);
    return rc;
}

void said_push(struct session *s, struct str content, struct str user_id)
{
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_i64(&w, "n", ++s->said_seq);
    jw_kv_string(&w, "content", content.p ? content : STR(""));
    if (user_id.n)
        jw_kv_string(&w, "user_id", user_id);
    jw_end(&w);
    said_append(s, s->said_seq, buf_str(&b));
    buf_deinit(&b);
    if (s->replay)
        said_of(s->said.prev)->replayed_seq = s->replay->said_seq;
    said_trim(s);
}

/* ---- heard ---- */

struct str said_message(struct session *s, int64_t after)
{
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    list_foreach(it, &s->said)
    {
        struct json v = json_root(said_of(it)->json), user = json_get_set(v, "user_id");
        struct str name = json_type(user) == JSON_STRING ? json_text(s, user) : STR_NULL;
        if (said_of(it)->n <= after)
            continue;
        buf_append_z(&b, b.len ? "\n\n" : "");
        buf_append_z(&b, "Somebody who follows this session");
        if (name.n)
            buf_printf(&b, " (%.*s)", STR_FMT(name));
        buf_append_z(&b, " says: ");
        buf_append_str(&b, json_text(s, json_get(v, "content")));
    }
    if (!b.len)
        return STR_NULL;
    struct str text = tmp_copy(s, buf_str(&b));
    buf_clear(&b);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_stringz(&w, "role", "user");
    jw_kv_string(&w, "content", text);
    jw_end(&w);
    struct str out = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

void said_write_message(struct session *s, unsigned n, int64_t after, struct jw *w)
{
    struct str message = kind_hears(node_def(s, n)->kind) ? said_message(s, after) : STR_NULL;
    if (message.p)
        jw_raw(w, message);
}

void said_ended(struct session *s, int64_t upto)
{
    list_foreach_safe(it, tmp, &s->said)
    {
        if (said_of(it)->n <= upto)
            said_drop(s, said_of(it));
    }
}

void said_replayed(struct session *s, int64_t before_seq)
{
    list_foreach_safe(it, tmp, &s->said)
    {
        if (said_of(it)->replayed_seq && said_of(it)->replayed_seq < before_seq)
            said_drop(s, said_of(it));
    }
}

int said_verify(const struct session *s, struct errbuf *e)
{
    unsigned count = 0;
    size_t bytes = 0;
    int64_t last = 0;
    list_foreach(it, &s->said)
    {
        if (said_of(it)->n <= last)
            return err_set(e, ERR_CORRUPT, "what was said is not in order");
        last = said_of(it)->n;
        bytes += said_of(it)->json.n;
        count++;
    }
    if (count != s->said_count || bytes != s->said_bytes || last > s->said_seq)
        return err_set(e, ERR_CORRUPT, "what was said is not counted right");
    table_foreach(slot, &s->runs)
    {
        if (((const struct work *)slot->value)->said > s->said_seq)
            return err_set(e, ERR_CORRUPT, "a call has heard what nobody has said");
    }
    return 0;
}

/* ---- stored ---- */

void said_write(const struct session *s, struct jw *w)
{
    if (!s->said_seq)
        return;
    jw_key(w, "said");
    jw_object(w);
    jw_kv_i64(w, "n", s->said_seq);
    jw_key(w, "waiting");
    jw_array(w);
    list_foreach(it, &s->said) jw_raw(w, said_of(it)->json);
    jw_end(w);
    jw_end(w);
}

bool said_restore(struct session *s, struct json state)
{
    struct json v = json_get_set(state, "said");
    struct json_iter it;
    int64_t n = 0, last = 0;
    if (!json_exists(v))
        return true;
    if (!json_i64(json_get(v, "n"), &s->said_seq) || s->said_seq < 1)
        return false;
    json_iter_init(&it, json_get(v, "waiting"));
    while (json_iter_next(&it)) {
        if (!json_i64(json_get(it.value, "n"), &n) || n <= last || n > s->said_seq ||
            json_type(json_get(it.value, "content")) != JSON_STRING || s->said_count == SAID_MAX)
            return false;
        said_append(s, n, json_raw(it.value));
        last = n;
    }
    return true;
}
