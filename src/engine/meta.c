#include "engine/meta.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/json.h"
#include "base/json_tree.h"

enum member_kind {
    MEMBER_STATUS,
    MEMBER_TEXT, /* or null */
    MEMBER_NAME, /* an id, or null */
    MEMBER_TAGS,
    MEMBER_OBJECT,
};

#define MEMBER(name, kind, field, fixed)                                                           \
    {                                                                                              \
        name, kind, offsetof(struct session_meta, field), fixed                                    \
    }

static const struct member {
    const char *name;
    enum member_kind kind;
    size_t offset; /* in session_meta; of the status: not used */
    bool fixed;    /* of a session that was executed here */
} members[] = {
    {"status", MEMBER_STATUS, 0, true},
    MEMBER("name", MEMBER_TEXT, name, false),
    MEMBER("user_id", MEMBER_TEXT, user_id, true),
    MEMBER("group_id", MEMBER_NAME, group_id, true),
    MEMBER("workflow_id", MEMBER_NAME, workflow_id, true),
    MEMBER("tags", MEMBER_TAGS, tags_json, false),
    MEMBER("metadata", MEMBER_OBJECT, metadata_json, false),
    MEMBER("settings", MEMBER_OBJECT, settings_json, false),
    MEMBER("thread_configs", MEMBER_OBJECT, thread_configs_json, false),
    MEMBER("workflow_state", MEMBER_OBJECT, workflow_state_json, false),
};
#define MEMBERS (sizeof(members) / sizeof(members[0]))

/* As a session's JSON has them; the server's own. */
static const char *const counted[] = {
    "id",       "version",          "created_at", "updated_at", "started_at",
    "ended_at", "last_seq",         "reason",     "input",      "output",
    "error",    "node_statuses",    "waiting_on", "usage",      "budget",
    "parent",   "workflow_version", "definition", "graph",      "stored_only"};

static struct str *member_of(const struct member *m, struct session_meta *meta, struct str *status)
{
    return m->kind == MEMBER_STATUS ? status : (struct str *)((char *)meta + m->offset);
}

int meta_check_names(struct str json, struct errbuf *e)
{
    struct json_iter it;

    if (json_type(json_root(json)) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "expected an object, got %s",
                       json_type_name(json_type(json_root(json))));
    json_iter_init(&it, json_root(json));
    while (json_iter_next(&it)) {
        bool known = false;
        for (size_t i = 0; !known && i < MEMBERS; i++)
            known = json_iter_key_is(&it, members[i].name);
        for (size_t i = 0; !known && i < sizeof(counted) / sizeof(counted[0]); i++)
            known = json_iter_key_is(&it, counted[i]);
        if (!known)
            return err_set(e, ERR_INVALID, "unknown field \"%.*s\"",
                           (int)(it.key.n < 80 ? it.key.n : 80), it.key.p);
    }
    return 0;
}

/* ---- reading one member ---- */

static int read_tags(struct json v, struct errbuf *e)
{
    struct json_iter it;

    if (json_type(v) != JSON_ARRAY || json_length(v) > META_TAGS_MAX)
        return err_set(e, ERR_INVALID, "tags: expected an array of at most %d strings",
                       META_TAGS_MAX);
    json_iter_init(&it, v);
    while (json_iter_next(&it))
        if (json_type(it.value) != JSON_STRING || it.value.n - 2 > META_TAG_MAX)
            return err_set(e, ERR_INVALID, "tags[%zu]: expected a string of at most %d bytes",
                           it.index, META_TAG_MAX);
    return 0;
}

static int read_text(struct arena *a, const struct member *m, struct json v, struct str *out,
                     struct errbuf *e)
{
    if (json_type(v) == JSON_NULL && m->kind != MEMBER_STATUS) {
        *out = STR_NULL;
        return 0;
    }
    if (json_type(v) == JSON_NULL) {
        *out = STR(META_STATUS_DEFAULT);
        return 0;
    }
    char *z = json_strdup(v);
    if (!z)
        return err_set(e, ERR_INVALID, "%s: expected a string, got %s", m->name,
                       json_type_name(json_type(v)));
    struct str s = str_of(z);
    size_t max = m->kind == MEMBER_STATUS ? META_STATUS_MAX : META_NAME_MAX;
    int rc = 0;
    if (s.n > max || (m->kind == MEMBER_STATUS && s.n == 0))
        rc = err_set(e, ERR_INVALID, "%s: expected %d to %zu bytes", m->name,
                     m->kind == MEMBER_STATUS, max);
    else if (m->kind == MEMBER_NAME && !name_is_valid(s))
        rc = err_set(e, ERR_INVALID, "%s: expected 1 to %d characters of A-Z a-z 0-9 _ . -",
                     m->name, NAME_BYTES_MAX);
    else
        *out = (struct str){arena_strdup(a, s), s.n};
    free(z);
    return rc;
}

static int read_json(struct arena *a, const struct member *m, struct json v, struct str *out,
                     struct errbuf *e)
{
    bool is_tags = m->kind == MEMBER_TAGS;
    struct buf text;

    if (json_type(v) == JSON_NULL) {
        *out = is_tags ? STR("[]") : STR("{}");
        return 0;
    }
    if (is_tags && read_tags(v, e))
        return ERR_INVALID;
    if (!is_tags && json_type(v) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "%s: expected an object, got %s", m->name,
                       json_type_name(json_type(v)));
    buf_init(&text, META_BYTES_MAX);
    int rc = json_compact(json_raw(v), &text);
    if (rc)
        rc = err_set(e, ERR_TOO_LARGE, "%s: larger than %u bytes", m->name, META_BYTES_MAX);
    else
        *out = (struct str){arena_strdup(a, buf_str(&text)), text.len};
    buf_deinit(&text);
    return rc;
}

static int read_member(struct arena *a, const struct member *m, struct json v, struct str *out,
                       struct errbuf *e)
{
    if (m->kind == MEMBER_TAGS || m->kind == MEMBER_OBJECT)
        return read_json(a, m, v, out, e);
    return read_text(a, m, v, out, e);
}

/* ---- the change ---- */

/* What is there, as the object that a patch is merged into. */
static void write_now(struct buf *b, const struct session_meta *meta, struct str status)
{
    struct jw w;

    jw_init(&w, b);
    jw_object(&w);
    for (size_t i = 0; i < MEMBERS; i++) {
        const struct member *m = &members[i];
        struct str s = *member_of(m, (struct session_meta *)meta, &status);
        if (!s.p)
            continue;
        if (m->kind == MEMBER_TAGS || m->kind == MEMBER_OBJECT)
            jw_kv_raw(&w, m->name, s);
        else
            jw_kv_string(&w, m->name, s);
    }
    jw_end(&w);
}

static int apply_fixed(struct arena *a, const struct member *m, struct json v, struct str now,
                       struct errbuf *e)
{
    struct str given = STR_NULL;
    int rc = read_text(a, m, v, &given, e);

    if (rc)
        return rc;
    if (json_type(v) == JSON_NULL)
        given = STR_NULL;
    if (given.p ? now.p && str_eq(given, now) : !now.p)
        return 0;
    return err_set(e, ERR_CONFLICT,
                   m->kind == MEMBER_STATUS
                       ? "status: this session was executed here; it moves by commands alone"
                       : "%s: this session was executed here; it stays as it is",
                   m->name);
}

/* `all`: the object after the change. */
static int apply_all(struct arena *a, const struct session_meta *now, struct str status,
                     struct json change, struct json all, struct session_meta *out,
                     struct str *status_out, struct errbuf *e)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        const struct member *m = &members[i];
        struct str *to = member_of(m, out, status_out);
        struct json v = json_get(all, m->name), given = json_get(change, m->name);
        int rc = 0;
        if (m->fixed && !now->stored_only) {
            if (json_exists(given))
                rc =
                    apply_fixed(a, m, given, *member_of(m, (struct session_meta *)now, &status), e);
        } else {
            rc = read_member(a, m, json_exists(v) ? v : json_root(STR("null")), to, e);
        }
        if (rc)
            return rc;
    }
    return 0;
}

int meta_apply(struct arena *a, const struct session_meta *now, struct str status,
               const struct meta_change *change, struct session_meta *out, struct str *status_out,
               struct errbuf *e)
{
    struct buf old, merged;
    int rc = meta_check_names(change->json, e);

    *out = *now;
    *status_out = status;
    if (rc)
        return rc;
    if (change->replace)
        return apply_all(a, now, status, json_root(change->json), json_root(change->json), out,
                         status_out, e);
    buf_init(&old, SIZE_MAX);
    buf_init(&merged, SIZE_MAX);
    write_now(&old, now, status);
    if (json_merge(buf_str(&old), change->json, &merged))
        rc = err_set(e, ERR_TOO_LARGE, "the merge is too large");
    else
        rc = apply_all(a, now, status, json_root(change->json), json_root(buf_str(&merged)), out,
                       status_out, e);
    buf_deinit(&old);
    buf_deinit(&merged);
    return rc;
}
