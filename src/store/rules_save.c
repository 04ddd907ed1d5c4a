/* Stored sessions: what all stores decide the same way. */
#include <string.h>

#include "base/json_canonical.h"
#include "store/rules.h"

static int save_refuse(struct store_session_save *p, enum save_entry in, size_t i, int code)
{
    p->failed_in = in;
    p->failed = i;
    return code;
}

static bool save_is_here(const struct store_session_save *p, const struct session_row *now)
{
    return str_eq(now->meta.workspace, rules_workspace(p->workspace));
}

static int save_stale(const struct session_row *now, int64_t expected, struct errbuf *e)
{
    if (now)
        return err_set(e, ERR_STALE, "the session is at version %lld, not %lld",
                       (long long)now->version, (long long)expected);
    return err_set(e, ERR_STALE, "there is no such session, so it is not at version %lld",
                   (long long)expected);
}

static int save_check(const struct store_session_save *p, const struct session_save *s,
                      const struct session_row *now, struct errbuf *e)
{
    if ((now && !save_is_here(p, now)) || (!now && (s->must_exist || s->kind == SAVE_META)))
        return err_set(e, ERR_NOT_FOUND, "there is no such session");
    if (s->expected_version > 0 && (!now || now->version != s->expected_version))
        return save_stale(now, s->expected_version, e);
    if (now && s->kind == SAVE_STORED && !now->meta.stored_only)
        return err_set(e, ERR_CONFLICT, "this session was executed here: it is not replaced");
    if (now && s->kind == SAVE_META && rules_session_is_live(now))
        return err_set(e, ERR_CONFLICT, "the session runs: it is %.*s", STR_FMT(now->core.status));
    return 0;
}

int rules_save_check(struct store_session_save *p, size_t i, const struct session_row *now,
                     struct errbuf *e)
{
    struct session_save *s = &p->saves[i];
    int status = save_check(p, s, now, e);

    if (status < 0)
        return save_refuse(p, SAVE_ENTRY_SAVE, i, status);
    s->created = !now;
    s->version = now ? now->version + 1 : 1;
    s->created_at = now ? now->created_at : p->now_ms;
    return 0;
}

int rules_save_delete_check(struct store_session_save *p, size_t i, const struct session_row *now,
                            struct errbuf *e)
{
    if (!now || !save_is_here(p, now))
        return save_refuse(p, SAVE_ENTRY_DELETE, i,
                           err_set(e, ERR_NOT_FOUND, "there is no such session"));
    if (rules_session_is_live(now))
        return save_refuse(p, SAVE_ENTRY_DELETE, i,
                           err_set(e, ERR_CONFLICT, "the session has not ended: it is %.*s",
                                   STR_FMT(now->core.status)));
    return 0;
}

void rules_save_new(const struct store_session_save *p, const struct session_save *s,
                    struct save_new *out)
{
    *out = (struct save_new){
        .delta = {.session_id = s->id,
                  .is_new = true,
                  .created_at = s->created_at,
                  .at = p->now_ms,
                  .version = s->version},
        .meta = s->meta,
        .core = {.status = s->status, .updated_at = p->now_ms},
    };
    out->meta.workspace = rules_workspace(p->workspace);
    out->meta.stored_only = true;
    out->delta.meta = &out->meta;
    out->delta.core = &out->core;
}

/* One filter; a path goes through objects only. */
static bool metadata_has(struct json v, const struct metadata_filter *f)
{
    char name[256];
    struct buf text;
    const char *at = f->path.p, *end = at + f->path.n;

    for (;;) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        size_t n = (size_t)((dot ? dot : end) - at);
        if (n >= sizeof(name))
            return false;
        memcpy(name, at, n);
        name[n] = '\0';
        v = json_get(v, name);
        if (!dot)
            break;
        at = dot + 1;
    }
    if (json_type(v) != JSON_STRING)
        return json_type(v) != JSON_NULL && json_type(v) != JSON_OBJECT &&
               json_type(v) != JSON_ARRAY && json_exists(v) && str_eq(json_raw(v), f->value);
    buf_init(&text, v.n);
    bool same = json_string(v, &text) && str_eq(buf_str(&text), f->value);
    buf_deinit(&text);
    return same;
}

void rules_list_corrupt(struct store_session_list *l, struct id id)
{
    struct id_list **tail = &l->corrupt;

    while (*tail)
        tail = &(*tail)->next;
    *tail = arena_alloc(&l->req.arena, sizeof(**tail));
    (*tail)->id = id;
}

bool rules_metadata_matches(const struct store_session_list *l, struct str metadata_json)
{
    for (size_t i = 0; i < l->metadata_count; i++)
        if (!metadata_json.p || !metadata_has(json_root(metadata_json), &l->metadata[i]))
            return false;
    return true;
}

struct str rules_checksum(struct arena *a, struct str graph_json)
{
    char hex[JSON_CHECKSUM_BYTES + 1];

    if (json_check(graph_json, &(struct json_limits){.bytes_max = SIZE_MAX}, NULL))
        return STR_NULL; /* tests store other texts, too */
    json_checksum(graph_json, hex);
    return str_of(arena_strdup(a, str_of(hex)));
}

const struct idempotency_row *rules_save_key(struct store_session_save *p)
{
    if (!p->idempotency)
        return NULL;
    struct idempotency_row *row = arena_alloc(&p->req.arena, sizeof(*row));
    struct buf body;

    *row = *p->idempotency;
    row->next = NULL;
    buf_init(&body, SIZE_MAX);
    p->answer(p, &body);
    row->body_json = (struct str){arena_strdup(&p->req.arena, buf_str(&body)), body.len};
    buf_deinit(&body);
    return row;
}
