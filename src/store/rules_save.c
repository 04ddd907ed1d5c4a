/* Stored sessions: what all stores decide the same way. */
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
