#include "store/pg_known.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void pg_known_init(struct pg_known *k)
{
    *k = (struct pg_known){.sets = NULL};
}

void pg_known_deinit(struct pg_known *k)
{
    free(k->sets);
    k->sets = NULL;
}

void pg_known_clear(struct pg_known *k)
{
    pg_known_deinit(k);
}

static struct pg_known_session *known_set(const struct pg_known *k, struct id session)
{
    return k->sets[id_hash(session) & (PG_KNOWN_SETS - 1)];
}

static struct pg_known_session *known_find(const struct pg_known *k, struct id session)
{
    struct pg_known_session *set = k->sets ? known_set(k, session) : NULL;

    for (int i = 0; set && i < PG_KNOWN_WAYS; i++)
        if (set[i].last > 0 && id_eq(set[i].id, session))
            return &set[i];
    return NULL;
}

void pg_known_fetch(const struct pg_known *k, struct id session)
{
    if (k->sets)
        mem_fetch(known_set(k, session), sizeof(*k->sets));
}

bool pg_known_has(const struct pg_known *k, const struct delta *d)
{
    const struct pg_known_session *s = known_find(k, d->session_id);

    return s && id_eq(k->owner, d->owner) && s->epoch == d->epoch && s->last < d->seq_first;
}

int64_t pg_known_last(const struct pg_known *k, struct id session)
{
    const struct pg_known_session *s = known_find(k, session);

    return s ? s->last : 0;
}

void pg_known_put(struct pg_known *k, const struct delta *d)
{
    struct pg_known_session *s;

    if (!id_eq(k->owner, d->owner)) {
        pg_known_clear(k);
        k->owner = d->owner;
    }
    if (!k->sets)
        k->sets = mem_calloc(PG_KNOWN_SETS, sizeof(*k->sets));
    s = known_find(k, d->session_id);
    if (!s) { /* in the place of the one that was put first */
        s = known_set(k, d->session_id);
        memmove(s + 1, s, (PG_KNOWN_WAYS - 1) * sizeof(*s));
    }
    *s = (struct pg_known_session){d->session_id, d->epoch, d->seq_last};
}

void pg_known_follow(struct pg_known *k, const struct delta *d)
{
    struct pg_known_session *s = known_find(k, d->session_id);

    if (s && s->last < d->seq_last)
        s->last = d->seq_last;
}

void pg_known_forget(struct pg_known *k, struct id session)
{
    struct pg_known_session *s = known_find(k, session);

    if (s)
        s->last = 0;
}
