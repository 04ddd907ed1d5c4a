#include "patch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void patch_expect(const struct session_meta *m, int64_t version)
{
    char text[64];
    snprintf(text, sizeof(text), "{\"n\":%lld}", (long long)version - 1);
    bool right = version == 1 ? !m->metadata_json.p || str_eqz(m->metadata_json, "{}")
                              : str_eqz(m->metadata_json, text);
    if (right && version >= 1)
        return;
    fprintf(stderr, "version %lld of what is kept with a session is %.*s\n", (long long)version,
            STR_FMT(m->metadata_json));
    abort();
}

void patch_make(struct patch *p, struct dice *d, const struct session *s)
{
    memset(p, 0, sizeof(*p));
    p->version = session_version(s);
    patch_expect(session_meta_of(s), p->version);
    snprintf(p->text, sizeof(p->text),
             "{\"metadata\":{\"n\":%lld,\"gone\":null},\"name\":\"n%lld\"}", (long long)p->version,
             (long long)p->version);
    p->in = (struct engine_input){.kind = IN_META, .data_json = str_of(p->text)};
    bool stale = dice_chance(d, 30);
    if (stale || dice_chance(d, 50))
        p->in.if_version = stale ? p->version + 1 : p->version;
    p->expected = session_status_is_terminal(session_status_of(s)) ? ERR_CONFLICT
                  : stale                                          ? ERR_STALE
                                                                   : 0;
}

bool patch_done(const struct patch *p, const struct session *s, int rc)
{
    if (rc != p->expected) {
        fprintf(stderr, "a change of what is kept with a session: %d\n", rc);
        abort();
    }
    patch_expect(session_meta_of(s), rc ? p->version : p->version + 1);
    return rc == 0;
}
