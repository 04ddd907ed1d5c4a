/* What people and programs keep with the session, changed while it runs (meta.h). No event tells of
 * it: the log has what the session did. */
#include <stdlib.h>

#include "engine/meta.h"
#include "engine/session.h"

/* Those that may be changed while it runs. */
static struct str *meta_member(struct session_meta *m, unsigned i)
{
    struct str *const all[SESSION_KEPT] = {
        &m->name,          &m->tags_json,           &m->metadata_json,
        &m->settings_json, &m->thread_configs_json, &m->workflow_state_json};
    return all[i];
}

int step_meta(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    const struct meta_change change = {in->data_json, in->replace};
    struct session_meta out;
    struct str status;
    if (session_over(s)) {
        s->refusal = "session_ended"; /* what is kept with it is changed in the store then */
        return err_set(e, ERR_CONFLICT, "The session has ended.");
    }
    if (in->if_version && in->if_version != s->version) {
        s->refusal = "stale_version";
        return err_set(e, ERR_STALE, "The session is at version %lld, not %lld.",
                       (long long)s->version, (long long)in->if_version);
    }
    int rc = meta_apply(&s->tmp, &s->meta, str_of(session_status_word(s->status)), &change, &out,
                        &status, e);
    if (rc)
        return rc;
    for (unsigned i = 0; i < SESSION_KEPT; i++) {
        own_set(&s->kept[i], *meta_member(&out, i));
        *meta_member(&s->meta, i) = s->kept[i];
    }
    own_set(&s->session_text, STR_NULL); /* has the name */
    s->version++;
    s->meta_dirty = s->core_dirty = true;
    return 0;
}

void meta_free(struct session *s)
{
    for (unsigned i = 0; i < SESSION_KEPT; i++)
        free((char *)s->kept[i].p);
}

/* A copy of its own: the next change frees these texts, maybe while this delta is written. */
const struct session_meta *meta_taken(struct session *s, struct arena *a)
{
    struct session_meta *m = arena_alloc(a, sizeof(*m));
    *m = s->meta;
    for (unsigned i = 0; i < SESSION_KEPT; i++)
        if (s->kept[i].p)
            meta_member(m, i)->p = arena_strdup(a, s->kept[i]);
    s->meta_dirty = false;
    return m;
}
