#include "app/catalog_body.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "engine/schema.h"

enum member_type {
    MEMBER_SKIP,     /* of answers: passed over */
    MEMBER_NAME,     /* an id */
    MEMBER_LINE,     /* text of 1 to max bytes, on one line */
    MEMBER_TEXT,     /* text of at most max bytes */
    MEMBER_PICTURE,  /* a URL, a data: image, or an emoji */
    MEMBER_NUMBER,   /* min to max */
    MEMBER_INTEGER,  /* the same, whole */
    MEMBER_WORDS,    /* a list of texts */
    MEMBER_AGENTS,   /* a list of ids, each once */
    MEMBER_TOOLS,    /* a list of names and objects */
    MEMBER_MODEL,    /* a name, or a list of names and {provider, model} */
    MEMBER_RESULTS,  /* an agent's memory */
    MEMBER_PROMOTE,  /* a group's memory */
    MEMBER_SCHEMA,   /* JSON Schema */
    MEMBER_WORKFLOW, /* an object, checked elsewhere */
};

struct member {
    const char *name;
    enum member_type type;
    double min, max;
};

#define COMMON                                                                                     \
    {"id", MEMBER_NAME, 0, 0}, {"name", MEMBER_LINE, 0, CATALOG_NAME_MAX},                         \
        {"description", MEMBER_TEXT, 0, CATALOG_DESCRIPTION_MAX},                                  \
    {                                                                                              \
        "category", MEMBER_LINE, 0, CATALOG_CATEGORY_MAX                                           \
    }
#define ANSWERED                                                                                   \
    {"version", MEMBER_SKIP, 0, 0}, {"created_at", MEMBER_SKIP, 0, 0},                             \
        {"updated_at", MEMBER_SKIP, 0, 0}, {"system", MEMBER_SKIP, 0, 0},                          \
    {                                                                                              \
        NULL, MEMBER_SKIP, 0, 0                                                                    \
    }
#define MEMBERS_MAX 24

static const struct member members[CATALOG_KIND_COUNT][MEMBERS_MAX] = {
    [CATALOG_AGENT] =
        {
            COMMON,
            {"avatar", MEMBER_PICTURE, 0, 0},
            {"persona", MEMBER_TEXT, 0, CATALOG_PERSONA_MAX},
            {"provider", MEMBER_NAME, 0, 0},
            {"model", MEMBER_MODEL, 0, CATALOG_WORD_MAX},
            {"temperature", MEMBER_NUMBER, 0, 2},
            {"top_p", MEMBER_NUMBER, 0, 1},
            {"max_tokens", MEMBER_INTEGER, 1, 10000000},
            {"capabilities", MEMBER_WORDS, 0, CATALOG_WORD_MAX},
            {"tools", MEMBER_TOOLS, 0, 0},
            {"max_tool_rounds", MEMBER_INTEGER, 1, 50},
            {"memory", MEMBER_RESULTS, 0, 0},
            ANSWERED,
        },
    [CATALOG_GROUP] =
        {
            COMMON,
            {"icon", MEMBER_PICTURE, 0, 0},
            {"system_prompt", MEMBER_TEXT, 0, CATALOG_PERSONA_MAX},
            {"default_agent_ids", MEMBER_AGENTS, 0, 0},
            {"memory", MEMBER_PROMOTE, 0, 0},
            ANSWERED,
        },
    [CATALOG_TEMPLATE] =
        {
            COMMON,
            {"parameters", MEMBER_SCHEMA, 0, CATALOG_PARAMETERS_MAX},
            {"graph", MEMBER_WORKFLOW, 0, CATALOG_GRAPH_MAX}, /* last: long */
            ANSWERED,
        },
};

/* Where a body is read to. */
struct body_read {
    struct arena *arena;
    struct catalog_body *body;
    struct errbuf *e;
    struct jw *w;
};

static struct str text_of(struct body_read *r, struct json v)
{
    char *copy =
        arena_alloc(r->arena, v.n + 1); /* an escape is no shorter than what it stands for */
    struct buf text;
    buf_init(&text, v.n);
    json_string(v, &text);
    size_t n = text.len;
    if (n)
        memcpy(copy, text.data, n);
    buf_deinit(&text);
    return (struct str){copy, n};
}

static int expected(struct body_read *r, const char *what, const char *wanted)
{
    return err_set(r->e, ERR_INVALID, "%s: expected %s", what, wanted);
}

/* ---- texts ---- */

static bool is_line(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return s.n > 0;
}

static int read_text(struct body_read *r, const char *what, struct json v, double max, bool line,
                     struct str *out)
{
    if (json_type(v) != JSON_STRING)
        return expected(r, what, "text");
    struct str s = text_of(r, v);
    if (s.n > (size_t)max)
        return err_set(r->e, ERR_INVALID, "%s: longer than %.0f bytes", what, max);
    if (line && !is_line(s))
        return expected(r, what, "a line of text that is not empty");
    jw_string(r->w, s);
    *out = s;
    return 0;
}

static int read_name(struct body_read *r, const char *what, struct json v, struct str *out)
{
    struct str s = json_type(v) == JSON_STRING ? text_of(r, v) : STR_NULL;
    if (!s.p || !name_is_valid(s))
        return expected(r, what, "1 to 64 characters of A-Z a-z 0-9 _ . -");
    jw_string(r->w, s);
    *out = s;
    return 0;
}

static bool begins(struct str s, const char *with)
{
    size_t n = strlen(with);
    return s.n >= n && memcmp(s.p, with, n) == 0;
}

/* It goes into pages: no byte that ends an attribute. */
static bool is_url(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= 0x20 || strchr("\"'<>\\`\x7f", s.p[i]))
            return false;
    return true;
}

/* An emoji, or initials: no address, no markup. */
static bool is_short(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (strchr("\"'<>&:/\\`", s.p[i]))
            return false;
    return s.n <= CATALOG_EMOJI_MAX && is_line(s);
}

static int read_picture(struct body_read *r, const char *what, struct json v)
{
    struct str s = json_type(v) == JSON_STRING ? text_of(r, v) : STR_NULL;
    bool url = begins(s, "https://") || begins(s, "http://") || begins(s, "data:image/");
    if (!s.p || !(url ? is_url(s) : is_short(s)))
        return expected(r, what, "an http(s) URL, a data:image/… URL, or an emoji");
    if (s.n > CATALOG_AVATAR_MAX)
        return err_set(r->e, ERR_INVALID, "%s: longer than %u bytes", what, CATALOG_AVATAR_MAX);
    jw_string(r->w, s);
    return 0;
}

/* ---- lists ---- */

static int list_check(struct body_read *r, const char *what, struct json v, size_t max)
{
    if (json_type(v) == JSON_ARRAY && json_length(v) <= max)
        return 0;
    return err_set(r->e, ERR_INVALID, "%s: expected a list of at most %zu", what, max);
}

static int read_words(struct body_read *r, const struct member *m, struct json v)
{
    struct json_iter it;
    struct str s;
    char what[64];
    int rc = list_check(r, m->name, v, CATALOG_LIST_MAX);
    jw_array(r->w);
    json_iter_init(&it, v);
    while (rc == 0 && json_iter_next(&it)) {
        snprintf(what, sizeof(what), "%s[%zu]", m->name, it.index);
        rc = read_text(r, what, it.value, m->max, true, &s);
    }
    jw_end(r->w);
    return rc;
}

static int read_agents(struct body_read *r, const struct member *m, struct json v)
{
    struct json_iter it;
    struct str *ids = arena_calloc(r->arena, CATALOG_LIST_MAX, sizeof(*ids));
    char what[64];
    size_t n = 0;
    int rc = list_check(r, m->name, v, CATALOG_LIST_MAX);
    jw_array(r->w);
    json_iter_init(&it, v);
    while (rc == 0 && json_iter_next(&it)) {
        snprintf(what, sizeof(what), "%s[%zu]", m->name, it.index);
        rc = read_name(r, what, it.value, &ids[n]);
        for (size_t i = 0; rc == 0 && i < n; i++)
            if (str_eq(ids[i], ids[n]))
                rc = err_set(r->e, ERR_INVALID, "%s: \"%.*s\" stands there twice", what,
                             STR_FMT(ids[n]));
        n++;
    }
    jw_end(r->w);
    r->body->agents = ids;
    r->body->agent_count = n;
    return rc;
}

/* What an object says is the engine's to check (service_catalog.c). */
static int read_tools(struct body_read *r, const struct member *m, struct json v)
{
    struct json_iter it;
    int rc = list_check(r, m->name, v, CATALOG_LIST_MAX);
    if (rc == 0 && v.n > CATALOG_PERSONA_MAX)
        rc = err_set(r->e, ERR_INVALID, "%s: longer than %u bytes", m->name, CATALOG_PERSONA_MAX);
    json_iter_init(&it, v);
    while (rc == 0 && json_iter_next(&it))
        if (json_type(it.value) != JSON_STRING && json_type(it.value) != JSON_OBJECT)
            rc = err_set(r->e, ERR_INVALID, "%s[%zu]: expected a name or an object", m->name,
                         it.index);
    jw_raw(r->w, json_raw(v));
    return rc;
}

/* ---- models, memory ---- */

/* {provider?, model} */
static int read_target(struct body_read *r, const char *what, struct json v)
{
    struct json_iter it;
    struct str s;
    int rc = json_exists(json_get_set(v, "model")) ? 0 : expected(r, what, "a model in it");
    jw_object(r->w);
    json_iter_init(&it, v);
    while (rc == 0 && json_iter_next(&it)) {
        if (json_iter_key_is(&it, "model")) {
            jw_key(r->w, "model");
            rc = read_text(r, what, it.value, CATALOG_WORD_MAX, true, &s);
        } else if (json_iter_key_is(&it, "provider")) {
            jw_key(r->w, "provider");
            rc = read_name(r, what, it.value, &s);
        } else {
            rc = expected(r, what, "provider and model, and nothing else");
        }
    }
    jw_end(r->w);
    return rc;
}

static int read_model(struct body_read *r, const struct member *m, struct json v)
{
    struct json_iter it;
    struct str s;
    char what[64];
    if (json_type(v) != JSON_ARRAY)
        return read_text(r, m->name, v, m->max, true, &s);
    int rc = list_check(r, m->name, v, CATALOG_MODELS_MAX);
    if (rc == 0 && json_length(v) == 0)
        rc = expected(r, m->name, "one model at least");
    jw_array(r->w);
    json_iter_init(&it, v);
    while (rc == 0 && json_iter_next(&it)) {
        snprintf(what, sizeof(what), "%s[%zu]", m->name, it.index);
        rc = json_type(it.value) == JSON_OBJECT ? read_target(r, what, it.value)
                                                : read_text(r, what, it.value, m->max, true, &s);
    }
    jw_end(r->w);
    return rc;
}

static int read_results(struct body_read *r, const struct member *m, struct json v)
{
    static const char wanted[] = "false, or group_results and agent_results from 0 to 50";
    struct json_iter it;
    int64_t n;
    bool on;
    if (json_bool(v, &on) && !on) {
        jw_bool(r->w, false);
        return 0;
    }
    if (json_type(v) != JSON_OBJECT)
        return expected(r, m->name, wanted);
    jw_object(r->w);
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        bool group = json_iter_key_is(&it, "group_results");
        if ((!group && !json_iter_key_is(&it, "agent_results")) || !json_i64(it.value, &n) ||
            n < 0 || n > CATALOG_RESULTS_MAX)
            return expected(r, m->name, wanted);
        jw_kv_i64(r->w, group ? "group_results" : "agent_results", n);
    }
    jw_end(r->w);
    return 0;
}

static int read_promote(struct body_read *r, const struct member *m, struct json v)
{
    static const char wanted[] = "an object with promote: \"auto\" or \"manual\"";
    struct json promote = json_get_set(v, "promote");
    bool is_auto = json_type(promote) == JSON_STRING && json_string_eq(promote, "auto");
    if (json_type(v) != JSON_OBJECT || json_length(v) > 1 ||
        (json_length(v) == 1 && !is_auto && !json_string_eq(promote, "manual")))
        return expected(r, m->name, wanted);
    jw_object(r->w);
    if (json_exists(promote))
        jw_kv_stringz(r->w, "promote", is_auto ? "auto" : "manual");
    jw_end(r->w);
    return 0;
}

/* ---- the rest ---- */

static int read_number(struct body_read *r, const struct member *m, struct json v)
{
    double d = 0;
    bool whole = m->type == MEMBER_INTEGER;
    if (!json_double(v, &d) || d < m->min || d > m->max || (whole && d != floor(d)))
        return err_set(r->e, ERR_INVALID, "%s: expected a %snumber from %.0f to %.0f", m->name,
                       whole ? "whole " : "", m->min, m->max);
    jw_double(r->w, d);
    return 0;
}

static void write_without_id(struct body_read *r, struct json v)
{
    struct json_iter it;
    jw_object(r->w);
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        struct buf key;
        if (json_iter_key_is(&it, "id"))
            continue;
        buf_init(&key, it.key.n);
        json_iter_key(&it, &key);
        jw_key_str(r->w, buf_str(&key));
        jw_raw(r->w, json_raw(it.value));
        buf_deinit(&key);
    }
    jw_end(r->w);
}

static int read_object(struct body_read *r, const struct member *m, struct json v)
{
    struct errbuf why = {""};
    if (json_type(v) != JSON_OBJECT)
        return expected(r, m->name, "an object");
    if (v.n > (size_t)m->max)
        return err_set(r->e, ERR_INVALID, "%s: longer than %.0f bytes", m->name, m->max);
    if (m->type == MEMBER_SCHEMA && schema_check(v, &why) < 0)
        return err_set(r->e, ERR_INVALID, "%s: %s", m->name, why.text);
    if (m->type == MEMBER_SCHEMA)
        jw_raw(r->w, json_raw(v));
    else
        write_without_id(r, v);
    return 0;
}

static int read_member(struct body_read *r, const struct member *m, struct json v, struct str *text)
{
    switch (m->type) {
    case MEMBER_SKIP:
        return 0;
    case MEMBER_NAME:
        return read_name(r, m->name, v, text);
    case MEMBER_LINE:
    case MEMBER_TEXT:
        return read_text(r, m->name, v, m->max, m->type == MEMBER_LINE, text);
    case MEMBER_PICTURE:
        return read_picture(r, m->name, v);
    case MEMBER_NUMBER:
    case MEMBER_INTEGER:
        return read_number(r, m, v);
    case MEMBER_WORDS:
        return read_words(r, m, v);
    case MEMBER_AGENTS:
        return read_agents(r, m, v);
    case MEMBER_TOOLS:
        return read_tools(r, m, v);
    case MEMBER_MODEL:
        return read_model(r, m, v);
    case MEMBER_RESULTS:
        return read_results(r, m, v);
    case MEMBER_PROMOTE:
        return read_promote(r, m, v);
    case MEMBER_SCHEMA:
    case MEMBER_WORKFLOW:
        return read_object(r, m, v);
    }
    return ERR_INTERNAL;
}

static int check_known(enum catalog_kind kind, struct json object, struct errbuf *e)
{
    struct json_iter it;
    json_iter_init(&it, object);
    while (json_iter_next(&it)) {
        const struct member *m = members[kind];
        while (m->name && !json_iter_key_is(&it, m->name))
            m++;
        if (!m->name)
            return err_set(e, ERR_INVALID, "unknown member \"%.*s\"",
                           (int)(it.key.n < 80 ? it.key.n : 80), it.key.p);
    }
    return 0;
}

static int read_all(struct body_read *r, enum catalog_kind kind, struct json object)
{
    struct str *const heads[] = {&r->body->id, &r->body->name, &r->body->description,
                                 &r->body->category};
    int rc = check_known(kind, object, r->e);
    jw_object(r->w);
    for (const struct member *m = members[kind]; m->name && rc == 0; m++) {
        struct json v = json_get_set(object, m->name);
        struct str text = STR_NULL;
        if (m->type == MEMBER_SKIP || !json_exists(v))
            continue;
        jw_key(r->w, m->name);
        rc = read_member(r, m, v, &text);
        if (m - members[kind] < (int)(sizeof(heads) / sizeof(heads[0])))
            *heads[m - members[kind]] = text;
    }
    jw_end(r->w);
    return rc;
}

int catalog_body_read(enum catalog_kind kind, struct str text, struct arena *a,
                      struct catalog_body *out, struct errbuf *e)
{
    struct json object = json_root(text);
    struct buf json;
    struct jw w;
    struct body_read r = {a, out, e, &w};
    *out = (struct catalog_body){.agent_count = 0};
    if (json_type(object) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "expected an object, got %s",
                       json_type_name(json_type(object)));
    buf_init(&json, JSON_BODY_MAX);
    jw_init(&w, &json);
    int rc = read_all(&r, kind, object);
    if (rc == 0 && buf_error(&json))
        rc = err_set(e, ERR_TOO_LARGE, "it is too large");
    if (rc == 0)
        out->json = (struct str){arena_strdup(a, buf_str(&json)), json.len};
    buf_deinit(&json);
    return rc;
}

void catalog_body_row(const struct catalog_body *b, struct catalog_row *row)
{
    row->id = b->id;
    row->name = b->name;
    row->description = b->description;
    row->category = b->category;
    row->body_json = b->json;
}
