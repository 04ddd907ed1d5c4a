#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/staged_private.h"
#include "engine/workflow_private.h"

/* ---- texts and numbers ---- */

/* Bytes of a text that fit, cut on a character's border. */
static struct str cut(struct str s, size_t most)
{
    if (s.n <= most)
        return s;
    s.n = most;
    while (s.n && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
        s.n--;
    return s;
}

/* A text, or what can be read as one. NULL: it is not there, or is nothing of the kind. */
static struct str text_take(struct staged_file *f, struct json v, const char *name, size_t most)
{
    enum json_type type = json_type(v);
    struct str s = STR_NULL;
    if (type == JSON_NONE || type == JSON_NULL)
        return s;
    size_t mark = staged_push(f, f->path_len ? ".%s" : "%s", name);
    if (type == JSON_STRING) {
        s = staged_text(f, v);
    } else {
        struct staged_issue *it = staged_issue(f, true, "wrong_type", "%s must be text, not %s",
                                               name, json_type_name(type));
        if (type == JSON_NUMBER || type == JSON_TRUE || type == JSON_FALSE) {
            s = staged_copy(f, json_raw(v));
            staged_fix(f, it, "read as the text \"%.*s\"", STR_FMT(s));
        } else {
            staged_fix(f, it, "left out");
        }
    }
    if (s.n > most) {
        struct staged_issue *it = staged_issue(
            f, true, "out_of_range", "%s has at most %zu bytes, not %zu", name, most, s.n);
        s = cut(s, most);
        staged_fix(f, it, "cut to %zu bytes", s.n);
    }
    staged_pop(f, mark);
    return s;
}

/* The text of a number, as it stands; a text that is one counts. */
static struct str number_take(struct staged_file *f, struct json v, const char *name, double min,
                              double max, double *out)
{
    enum json_type type = json_type(v);
    struct str s = json_raw(v);
    double d = 0;
    if (type == JSON_NONE || type == JSON_NULL)
        return STR_NULL;
    size_t mark = staged_push(f, ".%s", name);
    bool is_text = type == JSON_STRING;
    if (is_text) {
        s = staged_text(f, v);
        is_text = json_check(s, NULL, NULL) == 0;
        v = is_text ? json_root(s) : JSON_ABSENT;
        s = json_raw(v);
    }
    bool good = json_double(v, &d);
    if (!good || type == JSON_STRING) {
        struct staged_issue *it = staged_issue(f, true, "wrong_type", "%s must be a number, not %s",
                                               name, json_type_name(type));
        if (good)
            staged_fix(f, it, "read as the number %.*s", STR_FMT(s));
        else
            staged_fix(f, it, "left out");
    }
    if (good && (d < min || d > max)) {
        struct staged_issue *it =
            staged_issue(f, true, "out_of_range", "%s must be from %.15g to %.15g", name, min, max);
        staged_fix(f, it, "left out");
        good = false;
    }
    staged_pop(f, mark);
    if (good && out)
        *out = d;
    return good ? staged_copy(f, s) : STR_NULL;
}

/* ---- ids ---- */

/* Letters and digits of the name, the rest as '-'; empty when there are none. */
struct str staged_slug(struct staged_file *f, struct str name)
{
    char text[NAME_BYTES_MAX - 8];
    size_t n = 0;
    for (size_t i = 0; i < name.n && n < sizeof(text); i++) {
        char c = name.p[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        bool kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
        if (kept)
            text[n++] = c;
        else if (n && text[n - 1] != '-')
            text[n++] = '-';
    }
    while (n && text[n - 1] == '-')
        n--;
    return staged_copy(f, (struct str){text, n});
}

static bool id_is_taken(const struct staged_file *f, struct str id, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (str_eq(f->stages[i].id, id))
            return true;
    return false;
}

/* The id, or the id with a number, that none of the first `count` stages has. */
struct str staged_unique(struct staged_file *f, struct str id, unsigned count)
{
    char text[NAME_BYTES_MAX + 16];
    struct str tried = id;
    for (unsigned n = 2; id_is_taken(f, tried, count); n++) {
        int len = snprintf(text, sizeof(text), "%.*s_%u", (int)(id.n < 56 ? id.n : 56), id.p, n);
        tried = (struct str){text, (size_t)len};
    }
    return staged_copy(f, tried);
}

static struct str id_made(struct staged_file *f, struct str from, unsigned index)
{
    char text[32];
    struct str id = staged_slug(f, from);
    if (id.n)
        return id;
    snprintf(text, sizeof(text), "stage_%u", index + 1);
    return staged_copy(f, str_of(text));
}

static void id_take(struct staged_file *f, struct staged_stage *s, struct json v)
{
    struct staged_issue *it = NULL;
    struct str own = text_take(f, v, "id", 4096);
    if (own.n)
        s->given = own;
    s->id = s->given;
    if (!s->given.n) {
        it = staged_issue(f, true, "missing", "the stage has no id");
        s->given = STR_NULL;
        s->id = id_made(f, s->name, s->index);
    } else if (!name_is_valid(s->given)) {
        it = staged_issue(f, true, "bad_id", "an id is 1 to %d letters, digits, '_', '.' or '-'",
                          NAME_BYTES_MAX);
        s->id = id_made(f, s->given, s->index);
    }
    if (id_is_taken(f, s->id, s->index)) {
        if (!it)
            it = staged_issue(f, true, "duplicate", "another stage has the id \"%.*s\"",
                              STR_FMT(s->id));
        s->id = staged_unique(f, s->id, s->index);
    }
    if (it)
        staged_fix(f, it, "its id is \"%.*s\"", STR_FMT(s->id));
}

/* ---- the top ---- */

/* As JSON. */
static struct str version_take(struct staged_file *f, struct json v)
{
    struct str text = text_take(f, v, "version", STAGED_NAME_MAX);
    struct buf b;
    if (!text.p)
        return text;
    buf_init(&b, 4096);
    json_write_string(&b, text);
    text = staged_copy(f, buf_str(&b));
    buf_deinit(&b);
    return text;
}

void staged_read_top(struct staged_file *f)
{
    struct json v = json_get(f->root, "version");
    struct staged_issue *it;
    f->id = text_take(f, json_get(f->root, "id"), "id", 4096);
    f->name = text_take(f, json_get(f->root, "name"), "name", STAGED_NAME_MAX);
    f->description = text_take(f, json_get(f->root, "description"), "description", 1u << 20);
    f->type = text_take(f, json_get(f->root, "type"), "type", STAGED_NAME_MAX);
    f->source_rule = text_take(f, json_get(f->root, "source_rule"), "source_rule", 1u << 20);
    f->version = json_type(v) == JSON_NUMBER ? json_raw(v) : version_take(f, v);
    if (f->id.p && !name_is_valid(f->id)) {
        size_t mark = staged_push(f, "id");
        it = staged_issue(f, true, "bad_id", "an id is 1 to %d letters, digits, '_', '.' or '-'",
                          NAME_BYTES_MAX);
        f->id = staged_slug(f, f->id);
        if (!f->id.n)
            f->id = staged_slug(f, f->name);
        if (!f->id.n)
            f->id = STR_NULL;
        if (f->id.p)
            staged_fix(f, it, "it is \"%.*s\"", STR_FMT(f->id));
        else
            staged_fix(f, it, "left out: one is made");
        staged_pop(f, mark);
    } else if (!f->id.p && f->name.n && staged_slug(f, f->name).n) {
        f->id = staged_slug(f, f->name);
        it = staged_issue(f, false, "missing", "the file has no id");
        staged_fix(f, it, "its id is \"%.*s\", by its name", STR_FMT(f->id));
    }
    if (!f->name.n) {
        it = staged_issue(f, false, "missing", "the file has no name");
        f->name = f->id; /* or NULL, as workflows may be */
        if (f->name.p)
            staged_fix(f, it, "its name is \"%.*s\"", STR_FMT(f->name));
    }
    if (f->type.p && !f->type.n)
        f->type = STR_NULL;
}

/* ---- checklists ---- */

bool entries_have(const struct staged_entries *list, struct str name)
{
    for (unsigned i = 0; i < list->count; i++)
        if (str_eq(list->items[i].name, name))
            return true;
    return false;
}

void entries_add(struct staged_file *f, struct staged_entries *list, struct staged_entry e)
{
    if (list->count == list->cap) {
        unsigned cap = list->cap ? list->cap * 2 : 8;
        struct staged_entry *items = arena_calloc(&f->r->arena, cap, sizeof(*items));
        if (list->count)
            memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        list->cap = cap;
    }
    list->items[list->count++] = e;
}

/* The words under which people put what an item says. */
static struct str entry_name(struct staged_file *f, struct json v)
{
    static const char *const words[] = {"name",    "text",        "title", "label",
                                        "content", "description", "id"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct json at = json_get_set(v, words[i]);
        if (json_type(at) != JSON_STRING || at.n <= 2)
            continue;
        if (i > 0) {
            struct staged_issue *it = staged_issue(f, false, "missing", "the entry has no name");
            staged_fix(f, it, "its name is its %s", words[i]);
        }
        return staged_text(f, at);
    }
    return STR_NULL;
}

static bool entry_required(struct staged_file *f, struct json v)
{
    struct json at = json_get_set(v, "required"), other = json_get_set(v, "optional");
    bool required = true, optional = false;
    if (json_bool(other, &optional) && !json_exists(at))
        return !optional;
    if (!json_exists(at) || json_bool(at, &required))
        return required;
    size_t mark = staged_push(f, ".required");
    struct staged_issue *it = staged_issue(f, true, "wrong_type", "required must be true or false");
    required =
        !json_string_eq(at, "false") && !json_string_eq(at, "no") && !str_eqz(json_raw(at), "0");
    staged_fix(f, it, "read as %s", required ? "true" : "false");
    staged_pop(f, mark);
    return required;
}

/* A name that is not there twice, and fits; false: the entry is left out. */
static bool entry_settle(struct staged_file *f, const struct staged_entries *list,
                         struct staged_entry *e)
{
    struct staged_issue *it;
    if (!e->name.n) {
        it = staged_issue(f, true, "missing", "an entry needs a name");
        staged_fix(f, it, "left out");
        return false;
    }
    if (e->name.n > STAGED_ENTRY_MAX) {
        it = staged_issue(f, true, "out_of_range", "an entry has 1 to %d bytes, not %zu",
                          STAGED_ENTRY_MAX, e->name.n);
        e->name = cut(e->name, STAGED_ENTRY_MAX);
        staged_fix(f, it, "cut to %zu bytes", e->name.n);
    }
    if (entries_have(list, e->name)) {
        it = staged_issue(f, true, "duplicate", "the same stands there twice");
        staged_fix(f, it, "left out");
        return false;
    }
    return true;
}

/* One entry: {name, required, …}, or its name alone. */
static void entry_take(struct staged_file *f, struct staged_entries *list, struct json v)
{
    struct staged_entry e = {.required = true};
    enum json_type type = json_type(v);
    if (type == JSON_OBJECT) {
        e.raw = v;
        e.name = entry_name(f, v);
        e.required = entry_required(f, v);
    } else if (type == JSON_STRING) {
        e.name = staged_text(f, v);
    } else {
        struct staged_issue *it =
            staged_issue(f, true, "wrong_type",
                         "an entry must be text, or an object of name and required, not %s",
                         json_type_name(type));
        if (type == JSON_NUMBER) {
            e.name = staged_copy(f, json_raw(v));
            staged_fix(f, it, "read as the text \"%.*s\"", STR_FMT(e.name));
        } else {
            staged_fix(f, it, "left out");
            return;
        }
    }
    if (entry_settle(f, list, &e))
        entries_add(f, list, e);
}

static void entries_take(struct staged_file *f, struct json v, const char *name,
                         struct staged_entries *list)
{
    enum json_type type = json_type(v);
    struct staged_issue *it;
    struct json_iter i;
    if (type == JSON_NONE || type == JSON_NULL)
        return;
    size_t mark = staged_push(f, ".%s", name);
    if (type == JSON_STRING || type == JSON_NUMBER) {
        it = staged_issue(f, true, "wrong_type", "%s must be an array, not %s", name,
                          json_type_name(type));
        staged_fix(f, it, "read as an array of that one entry");
        entry_take(f, list, v);
    } else if (type != JSON_ARRAY) {
        it = staged_issue(f, true, "wrong_type", "%s must be an array, not %s", name,
                          json_type_name(type));
        staged_fix(f, it, "left out");
    } else {
        json_iter_init(&i, v);
        while (json_iter_next(&i) && list->count < STAGED_ENTRIES_MAX) {
            size_t inner = staged_push(f, "[%zu]", i.index);
            entry_take(f, list, i.value);
            staged_pop(f, inner);
        }
        if (json_length(v) > STAGED_ENTRIES_MAX) {
            it = staged_issue(f, true, "out_of_range", "%s has at most %d entries, not %zu", name,
                              STAGED_ENTRIES_MAX, json_length(v));
            staged_fix(f, it, "those behind are left out");
        }
    }
    staged_pop(f, mark);
}

/* ---- stages ---- */

static void order_take(struct staged_file *f, struct staged_stage *s)
{
    struct json v = json_get(s->raw, "order");
    if (number_take(f, v, "order", -1e9, 1e9, &s->order).p)
        return;
    s->order = (double)s->index + 1;
    if (json_type(v) == JSON_NONE || json_type(v) == JSON_NULL) {
        struct staged_issue *it = staged_issue(f, false, "missing", "the stage has no order");
        staged_fix(f, it, "its order is %u, by where it stands", s->index + 1);
    }
}

static void skip_take(struct staged_file *f, struct staged_stage *s)
{
    struct json v = json_get_set(s->raw, "allow_skip");
    bool allowed = true;
    if (!json_exists(v) || json_bool(v, &allowed)) {
        s->no_skip = !allowed;
        return;
    }
    size_t mark = staged_push(f, ".allow_skip");
    staged_fix(f, staged_issue(f, true, "wrong_type", "allow_skip must be true or false"),
               "left out: it may be skipped");
    staged_pop(f, mark);
}

static void stage_take(struct staged_file *f, struct staged_stage *s)
{
    struct staged_issue *it;
    s->name = text_take(f, json_get(s->raw, "name"), "name", STAGED_NAME_MAX);
    if (!s->name.n)
        s->name = text_take(f, json_get(s->raw, "title"), "title", STAGED_NAME_MAX);
    id_take(f, s, json_get(s->raw, "id"));
    if (!s->name.n) {
        it = staged_issue(f, false, "missing", "the stage has no name");
        s->name = s->id;
        staged_fix(f, it, "its name is \"%.*s\"", STR_FMT(s->name));
    }
    s->description =
        text_take(f, json_get(s->raw, "description"), "description", EXPR_TEMPLATE_MAX);
    order_take(f, s);
    entries_take(f, json_get(s->raw, "checklist"), "checklist", &s->checklist);
    entries_take(f, json_get(s->raw, "deliverables"), "deliverables", &s->deliverables);
    s->weight = number_take(f, json_get(s->raw, "weight"), "weight", 0, 1e9, NULL);
    s->minutes =
        number_take(f, json_get(s->raw, "estimated_minutes"), "estimated_minutes", 0, 525600, NULL);
    skip_take(f, s);
}

/* A stage of the list; a name alone is one, too. `key`: of an object of stages, or NULL. */
static void stage_add(struct staged_file *f, struct json v, struct str key)
{
    struct staged_stage *s = &f->stages[f->stage_count];
    *s = (struct staged_stage){.raw = v, .index = f->stage_count};
    if (json_type(v) == JSON_STRING) {
        struct buf b;
        struct jw w;
        buf_init(&b, v.n + 32);
        jw_init(&w, &b);
        jw_object(&w);
        jw_kv_raw(&w, "name", json_raw(v));
        jw_end(&w);
        s->raw = json_root(staged_copy(f, buf_str(&b)));
        buf_deinit(&b);
        staged_fix(f, staged_issue(f, true, "wrong_type", "a stage must be an object, not text"),
                   "read as its name");
    } else if (json_type(v) != JSON_OBJECT) {
        staged_fix(f,
                   staged_issue(f, true, "wrong_type", "a stage must be an object, not %s",
                                json_type_name(json_type(v))),
                   "left out");
        return;
    }
    s->given = key;
    stage_take(f, s);
    f->stage_count++;
}

static int order_cmp(const void *a, const void *b, void *data)
{
    const struct staged_file *f = data;
    const struct staged_stage *x = &f->stages[*(const unsigned *)a],
                              *y = &f->stages[*(const unsigned *)b];
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

static void stages_sort(struct staged_file *f)
{
    f->by_order = arena_calloc(&f->r->arena, f->stage_count + 1, sizeof(*f->by_order));
    for (unsigned i = 0; i < f->stage_count; i++)
        f->by_order[i] = i;
    qsort_r(f->by_order, f->stage_count, sizeof(*f->by_order), order_cmp, f);
}

void staged_read_stages(struct staged_file *f)
{
    struct json v = json_get(f->root, "stages");
    enum json_type type = json_type(v);
    struct json_iter it;
    size_t mark = staged_push(f, "stages"), count = json_length(v);
    if (type == JSON_OBJECT && count)
        staged_fix(f, staged_issue(f, true, "wrong_type", "stages must be an array, not an object"),
                   "its members are the stages, their keys the ids");
    if ((type != JSON_ARRAY && type != JSON_OBJECT) || !count) {
        staged_issue(f, true, "missing", "the file needs an array of stages");
    } else if (count > STAGED_STAGES_MAX) {
        staged_issue(f, true, "out_of_range", "a file has at most %d stages, not %zu",
                     STAGED_STAGES_MAX, count);
    } else {
        f->stages = arena_calloc(&f->r->arena, count, sizeof(*f->stages));
        json_iter_init(&it, v);
        while (json_iter_next(&it)) {
            struct buf key;
            buf_init(&key, it.key.n + 1);
            if (type == JSON_OBJECT)
                json_iter_key(&it, &key);
            size_t inner = staged_push(f, "[%zu]", it.index);
            stage_add(f, it.value, type == JSON_OBJECT ? staged_copy(f, buf_str(&key)) : STR_NULL);
            staged_pop(f, inner);
            buf_deinit(&key);
        }
        if (!f->stage_count)
            staged_issue(f, true, "missing", "none of the stages can be read");
        stages_sort(f);
    }
    staged_pop(f, mark);
}

/* ---- references ---- */

int staged_find(const struct staged_file *f, struct str ref, int *near)
{
    struct suggestion s;
    *near = -1;
    for (unsigned i = 0; i < f->stage_count; i++)
        if (str_eq(f->stages[i].id, ref))
            return (int)i;
    for (unsigned i = 0; i < f->stage_count; i++)
        if (f->stages[i].given.p && str_eq(f->stages[i].given, ref))
            return (int)i;
    for (unsigned i = 0; i < f->stage_count; i++)
        if (str_eq(f->stages[i].name, ref))
            return (int)i;
    suggest_init(&s, ref);
    for (unsigned i = 0; i < f->stage_count; i++) {
        struct str before = s.best;
        suggest_offer(&s, f->stages[i].id);
        suggest_offer(&s, f->stages[i].name);
        if (s.best.p != before.p)
            *near = (int)i;
    }
    return -1;
}
