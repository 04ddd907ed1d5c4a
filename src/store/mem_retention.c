/* STORE_RETENTION in memory: over all sessions, as they are few. */
#include "store/mem_data.h"
#include "store/rules.h"

static void retention_fold(struct mem_session *s)
{
    int64_t gone = 0;

    for (size_t i = 0; i < s->events.count;) {
        struct mem_events *old = (struct mem_events *)s->events.rows[i];
        struct arena a;
        int64_t last = 0;

        arena_init(&a);
        struct mem_vec kept = {.count = 0};
        for (struct event_row *k = rules_fold(&a, &old->row, &last); last > 0 && k; k = k->next) {
            struct mem_events *row = mem_row_create(sizeof(*row));
            row->row = mem_copy_events(&row->arena, k);
            mem_vec_put(&kept, row, mem_cmp_events);
        }
        arena_deinit(&a);
        if (last == 0) {
            i++;
            continue;
        }
        gone = last;
        mem_vec_remove(&s->events, old, mem_cmp_events);
        for (size_t k = 0; k < kept.count; k++)
            mem_vec_put(&s->events, kept.rows[k], mem_cmp_events);
        i += kept.count;
        kept.count = 0;
        mem_vec_clear(&kept);
    }
    s->folded_seq = gone + 1;
}

/* The one that ended first of those that ended before `before`. */
static struct mem_session *retention_first(const struct mem_data *d, int64_t before, bool whole)
{
    struct mem_session *first = NULL;

    for (size_t i = 0; i < d->sessions.count; i++) {
        struct mem_session *s = (struct mem_session *)d->sessions.rows[i];
        int64_t ended_at = s->core->core.ended_at;
        if (ended_at > 0 && ended_at < before && !(whole && s->folded_seq > 0) &&
            (!first || ended_at < first->core->core.ended_at))
            first = s;
    }
    return first;
}

static void retention_keys(struct mem_data *d, int64_t before)
{
    for (size_t i = d->idempotency.count; i-- > 0;) {
        struct mem_idempotency *key = (struct mem_idempotency *)d->idempotency.rows[i];
        if (key->row.created_at < before)
            mem_vec_remove(&d->idempotency, key, mem_cmp_idempotency);
    }
}

static void retention_commands(struct mem_data *d, int64_t before)
{
    for (size_t i = d->commands.count; i-- > 0;) {
        struct mem_command *c = (struct mem_command *)d->commands.rows[i];
        if (c->row.http_status != 0 && c->row.created_at < before)
            mem_vec_remove(&d->commands, c, mem_cmp_command);
    }
}

int mem_retention(struct mem_data *d, struct store_retention *r)
{
    int left = rules_retention_limit(r->limit);
    struct mem_session *s;

    r->folded = r->deleted = 0;
    for (; left > 0 && (s = retention_first(d, r->delete_before, false)); left--, r->deleted++)
        mem_session_remove(d, s);
    for (; left > 0 && (s = retention_first(d, r->fold_before, true)); left--, r->folded++)
        retention_fold(s);
    retention_keys(d, r->idempotency_before);
    retention_commands(d, r->commands_before);
    r->more = left == 0;
    return 0;
}
