#include "engine/staged.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json_tree.h"
#include "engine/staged_private.h"
#include "engine/workflow.h"

void staged_result_init(struct staged_result *r)
{
    *r = (struct staged_result){.count = 0};
    arena_init(&r->arena);
    buf_init(&r->staged, STAGED_BYTES_MAX);
    buf_init(&r->native, STAGED_BYTES_MAX * 2);
}

void staged_result_deinit(struct staged_result *r)
{
    arena_deinit(&r->arena);
    buf_deinit(&r->staged);
    buf_deinit(&r->native);
}

bool staged_is(struct json root)
{
    return json_type(root) == JSON_OBJECT && json_exists(json_get(root, "stages")) &&
           !json_exists(json_get(root, "nodes"));
}

/* ---- issues ---- */

size_t staged_push(struct staged_file *f, const char *fmt, ...)
{
    size_t before = f->path_len, room = sizeof(f->path) - before;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(f->path + before, room, fmt, ap);
    va_end(ap);
    f->path_len = (size_t)n < room ? before + (size_t)n : sizeof(f->path) - 1;
    return before;
}

void staged_pop(struct staged_file *f, size_t len)
{
    f->path_len = len;
    f->path[len] = 0;
}

struct str staged_copy(struct staged_file *f, struct str s)
{
    return (struct str){arena_strdup(&f->r->arena, s), s.n};
}

static struct str printed(struct staged_file *f, const char *text, int n, size_t room)
{
    size_t len = (size_t)n < room ? (size_t)n : room - 1;
    while (len && (size_t)n >= room && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--; /* cut on a character's border */
    return staged_copy(f, (struct str){text, len});
}

struct staged_issue *staged_issue(struct staged_file *f, bool is_error, const char *code,
                                  const char *fmt, ...)
{
    char text[600];
    va_list ap;
    struct staged_result *r = f->r;
    struct staged_issue *it;
    if (!r->issues)
        r->issues = arena_calloc(&r->arena, STAGED_ISSUES_MAX + 1, sizeof(*r->issues));
    it = &r->issues[r->count < STAGED_ISSUES_MAX ? r->count++ : STAGED_ISSUES_MAX];
    if (it == &r->issues[STAGED_ISSUES_MAX])
        f->untold++;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    *it = (struct staged_issue){.is_error = is_error,
                                .path = staged_copy(f, (struct str){f->path, f->path_len}),
                                .code = str_of(code),
                                .message = printed(f, text, n, sizeof(text))};
    r->errors += is_error;
    return it;
}

void staged_fix(struct staged_file *f, struct staged_issue *it, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    it->fix = printed(f, text, n, sizeof(text));
    if (f->fix && it->is_error)
        f->r->errors--;
}

struct str staged_text(struct staged_file *f, struct json v)
{
    struct buf b;
    buf_init(&b, v.n + 1);
    json_string(v, &b);
    struct str s = staged_copy(f, buf_str(&b));
    buf_deinit(&b);
    return s;
}

/* ---- the repaired file ---- */

static void text_write(struct jw *w, const char *key, struct str s)
{
    if (s.p)
        jw_kv_string(w, key, s);
}

/* Members that the format does not know, as they were. */
static void rest_write(struct jw *w, struct json raw, const char *const *known)
{
    struct json_iter it;
    if (json_type(raw) != JSON_OBJECT)
        return;
    json_iter_init(&it, raw);
    while (json_iter_next(&it)) {
        const char *const *k = known;
        while (*k && !json_iter_key_is(&it, *k))
            k++;
        if (*k)
            continue;
        struct buf key;
        buf_init(&key, it.key.n + 1);
        json_iter_key(&it, &key);
        jw_key_str(w, buf_str(&key));
        jw_raw(w, json_raw(it.value));
        buf_deinit(&key);
    }
}

static void entries_write(struct jw *w, const char *key, const struct staged_entries *list)
{
    static const char *const known[] = {"name", "required", NULL};
    jw_key(w, key);
    jw_array(w);
    for (unsigned i = 0; i < list->count; i++) {
        jw_object(w);
        jw_kv_string(w, "name", list->items[i].name);
        if (!list->items[i].required)
            jw_kv_bool(w, "required", false);
        rest_write(w, list->items[i].raw, known);
        jw_end(w);
    }
    jw_end(w);
}

static void texts_write(struct jw *w, const char *key, const struct str *list, unsigned count)
{
    if (!count)
        return;
    jw_key(w, key);
    jw_array(w);
    for (unsigned i = 0; i < count; i++)
        jw_string(w, list[i]);
    jw_end(w);
}

static void stage_write_staged(struct jw *w, const struct staged_stage *s)
{
    static const char *const known[] = {
        "id",     "name",       "description",       "order",      "checklist", "deliverables",
        "weight", "depends_on", "estimated_minutes", "conditions", "condition", "allow_skip",
        NULL};
    jw_object(w);
    jw_kv_string(w, "id", s->id);
    jw_kv_string(w, "name", s->name);
    text_write(w, "description", s->description);
    jw_kv_double(w, "order", s->order);
    entries_write(w, "checklist", &s->checklist);
    entries_write(w, "deliverables", &s->deliverables);
    if (s->weight.p)
        jw_kv_raw(w, "weight", s->weight);
    if (s->minutes.p)
        jw_kv_raw(w, "estimated_minutes", s->minutes);
    texts_write(w, "depends_on", s->depends, s->depends_count);
    texts_write(w, "conditions", s->conditions, s->conditions_count);
    if (s->no_skip)
        jw_kv_bool(w, "allow_skip", false);
    rest_write(w, s->raw, known);
    jw_end(w);
}

/* The beginning and the end have other names where a stage is called so. */
static struct str border(const struct staged_file *f, const char *marked)
{
    int near;
    return str_of(staged_find(f, str_of(marked + 1), &near) < 0 ? marked + 1 : marked);
}

static void way_write_staged(struct jw *w, const struct staged_file *f,
                             const struct staged_transition *t)
{
    static const char *const known[] = {"from", "to", "condition", "label", NULL};
    jw_object(w);
    jw_kv_string(w, "from",
                 t->from == STAGED_FROM_START ? border(f, "$start") : f->stages[t->from].id);
    jw_kv_string(w, "to", t->to == STAGED_TO_END ? border(f, "$end") : f->stages[t->to].id);
    text_write(w, "condition", t->condition);
    text_write(w, "label", t->label);
    rest_write(w, t->raw, known);
    jw_end(w);
}

void staged_write(struct staged_file *f, struct buf *out)
{
    static const char *const known[] = {"id",          "name",   "description", "type", "version",
                                        "source_rule", "stages", "transitions", NULL};
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    text_write(&w, "id", f->id);
    text_write(&w, "name", f->name);
    text_write(&w, "description", f->description);
    text_write(&w, "type", f->type);
    if (f->version.p)
        jw_kv_raw(&w, "version", f->version);
    text_write(&w, "source_rule", f->source_rule);
    rest_write(&w, f->root, known);
    jw_key(&w, "stages");
    jw_array(&w);
    for (unsigned i = 0; i < f->stage_count; i++)
        stage_write_staged(&w, &f->stages[i]);
    jw_end(&w);
    jw_key(&w, "transitions");
    jw_array(&w);
    for (unsigned i = 0; i < f->way_count; i++)
        if (!f->ways[i].dropped)
            way_write_staged(&w, f, &f->ways[i]);
    jw_end(&w);
    jw_end(&w);
}

/* ---- all of it ---- */

int staged_convert(struct str json, bool fix, struct expr_vm *vm, struct staged_result *r)
{
    struct staged_file f = {.r = r, .vm = vm, .fix = fix, .entry = -1};
    struct buf compact; /* blanks make no difference */
    buf_init(&compact, STAGED_BYTES_MAX);
    if (json_compact(json, &compact))
        staged_issue(&f, true, "too_large", "the file is larger than allowed");
    else
        f.root = json_root(staged_copy(&f, buf_str(&compact)));
    buf_deinit(&compact);
    if (r->errors)
        return ERR_UNPROCESSABLE;
    staged_read_top(&f);
    staged_read_stages(&f);
    if (f.stage_count) {
        staged_read_depends(&f);
        staged_read_conditions(&f);
        staged_read_ways(&f);
        staged_check_flow(&f);
    }
    if (f.untold) {
        staged_pop(&f, 0);
        r->count = STAGED_ISSUES_MAX - 1; /* the last one tells of the rest */
        staged_issue(&f, false, "more", "and %u more issues like these", f.untold + 1);
    }
    staged_write(&f, &r->staged);
    if (!r->errors)
        staged_native(&f, &r->native);
    if (!r->errors && (buf_error(&r->staged) || buf_error(&r->native)))
        staged_issue(&f, true, "too_large", "the file is larger than allowed");
    if (r->errors)
        buf_clear(&r->native);
    return r->errors ? ERR_UNPROCESSABLE : 0;
}

static void issue_write(struct jw *w, const struct staged_issue *it)
{
    jw_object(w);
    jw_kv_string(w, "path", it->path);
    jw_kv_string(w, "code", it->code);
    jw_kv_string(w, "message", it->message);
    if (it->fix.p)
        jw_kv_string(w, "fix", it->fix);
    jw_end(w);
}

void staged_write_issues(struct jw *w, const struct staged_result *r, bool fix)
{
    static const char *const lists[] = {"errors", "warnings", "fixes"};
    for (int k = 0; k < (fix ? 3 : 2); k++) {
        jw_key(w, lists[k]);
        jw_array(w);
        for (unsigned i = 0; i < r->count; i++) {
            const struct staged_issue *it = &r->issues[i];
            int of = fix && it->fix.p ? 2 : it->is_error ? 0 : 1;
            if (of == k)
                issue_write(w, it);
        }
        jw_end(w);
    }
}

void staged_write_verdict(const struct staged_result *r, bool fix, struct buf *out)
{
    struct jw w;
    jw_init(&w, out);
    jw_object(&w);
    jw_kv_bool(&w, "valid", !r->errors);
    jw_kv_stringz(&w, "format", "staged");
    staged_write_issues(&w, r, fix);
    if (fix)
        jw_kv_raw(&w, "staged", buf_str(&r->staged));
    if (!r->errors)
        jw_kv_raw(&w, "workflow", buf_str(&r->native));
    jw_end(&w);
}
