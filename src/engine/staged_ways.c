#include <stdio.h>
#include <string.h>

#include "engine/staged_private.h"
#include "engine/workflow_private.h"

/* ---- what a stage depends on ---- */

static bool depends_on(const struct staged_stage *s, struct str id)
{
    for (unsigned i = 0; i < s->depends_count; i++)
        if (str_eq(s->depends[i], id))
            return true;
    return false;
}

static void unknown_stage(struct staged_file *f, struct str ref, int near, bool takes_near)
{
    struct str cut = shown(ref);
    struct staged_issue *it;
    if (near >= 0)
        it = staged_issue(f, true, "unknown_stage",
                          "there is no stage \"%.*s\"; did you mean \"%.*s\"?", STR_FMT(cut),
                          STR_FMT(f->stages[near].id));
    else
        it = staged_issue(f, true, "unknown_stage", "there is no stage \"%.*s\"", STR_FMT(cut));
    if (near >= 0 && takes_near)
        staged_fix(f, it, "read as \"%.*s\"", STR_FMT(f->stages[near].id));
    else
        staged_fix(f, it, "left out");
}

static void depend_take(struct staged_file *f, struct staged_stage *s, struct json v)
{
    int near = -1, at;
    if (json_type(v) != JSON_STRING && json_type(v) != JSON_NUMBER) {
        staged_fix(f, staged_issue(f, true, "wrong_type", "depends_on names stages by their ids"),
                   "left out");
        return;
    }
    struct str ref = json_type(v) == JSON_STRING ? staged_text(f, v) : json_raw(v);
    at = staged_find(f, ref, &near);
    if (at < 0) {
        at = near;
        unknown_stage(f, ref, near, near != (int)s->index);
    }
    if (at == (int)s->index)
        staged_fix(f, staged_issue(f, true, "cycle", "a stage cannot depend on itself"),
                   "left out");
    else if (at >= 0 && depends_on(s, f->stages[at].id))
        staged_fix(f, staged_issue(f, true, "duplicate", "the same stands there twice"),
                   "left out");
    else if (at >= 0 && s->depends_count == PROP_NAMES_MAX)
        staged_fix(f,
                   staged_issue(f, true, "out_of_range", "a stage depends on at most %d others",
                                PROP_NAMES_MAX),
                   "left out");
    else if (at >= 0)
        s->depends[s->depends_count++] = f->stages[at].id;
}

static void depends_take(struct staged_file *f, struct staged_stage *s, struct json v)
{
    struct json_iter it;
    enum json_type type = json_type(v);
    if (type == JSON_NONE || type == JSON_NULL)
        return;
    size_t mark = staged_push(f, "stages[%u].depends_on", s->index);
    s->depends = arena_calloc(&f->r->arena, PROP_NAMES_MAX, sizeof(*s->depends));
    if (type == JSON_STRING) {
        staged_fix(f, staged_issue(f, true, "wrong_type", "depends_on must be an array, not text"),
                   "read as an array of that one");
        depend_take(f, s, v);
    } else if (type != JSON_ARRAY) {
        staged_fix(f,
                   staged_issue(f, true, "wrong_type", "depends_on must be an array, not %s",
                                json_type_name(type)),
                   "left out");
    } else {
        json_iter_init(&it, v);
        while (json_iter_next(&it)) {
            size_t inner = staged_push(f, "[%zu]", it.index);
            depend_take(f, s, it.value);
            staged_pop(f, inner);
        }
    }
    staged_pop(f, mark);
}

void staged_read_depends(struct staged_file *f)
{
    for (unsigned i = 0; i < f->stage_count; i++)
        depends_take(f, &f->stages[i], json_get(f->stages[i].raw, "depends_on"));
}

/* ---- conditions of stages ---- */

/* A sentence that people judge becomes an item that they tick off. False: there is no room. */
static bool item_make(struct staged_file *f, struct staged_stage *s, struct str text)
{
    if (!text.n || text.n > STAGED_ENTRY_MAX || s->checklist.count >= STAGED_ENTRIES_MAX)
        return false;
    if (!entries_have(&s->checklist, text))
        entries_add(f, &s->checklist, (struct staged_entry){.name = text, .required = true});
    return true;
}

/* The text of a condition; an object may hold it. NULL: left out. */
static struct str condition_text(struct staged_file *f, struct json v)
{
    static const char *const words[] = {"expression", "condition", "when", "type", "name"};
    enum json_type type = json_type(v);
    if (type == JSON_STRING)
        return staged_text(f, v);
    struct staged_issue *it = staged_issue(
        f, true, "wrong_type", "a condition must be text, not %s", json_type_name(type));
    for (size_t i = 0; type == JSON_OBJECT && i < sizeof(words) / sizeof(words[0]); i++) {
        struct json at = json_get(v, words[i]);
        if (json_type(at) == JSON_STRING) {
            staged_fix(f, it, "read as its %s", words[i]);
            return staged_text(f, at);
        }
    }
    if (type == JSON_TRUE) {
        staged_fix(f, it, "read as \"always\"");
        return STR("always");
    }
    staged_fix(f, it, "left out");
    return STR_NULL;
}

static void broken(struct staged_file *f, const struct errbuf *why)
{
    staged_issue(f, true, "invalid_expression", "%.400s", why->text);
}

static void corrected(struct staged_file *f, struct str code)
{
    staged_fix(
        f, staged_issue(f, true, "invalid_expression", "these operators are another language's"),
        "written as %.*s", STR_FMT(code));
}

static void condition_take(struct staged_file *f, struct staged_stage *s, struct json v)
{
    struct errbuf why = {""};
    bool changed = false;
    struct str text = condition_text(f, v);
    if (!text.p)
        return;
    switch (staged_meaning_of(f, &text, &changed, &why)) {
    case MEANS_ALWAYS:
    case MEANS_DONE:
    case MEANS_SKIPPED:
    case MEANS_PEOPLE:
        break; /* it begins when its turn comes, and people begin it */
    case MEANS_CODE:
        if (changed)
            corrected(f, text);
        s->conditions[s->conditions_count++] = text;
        break;
    case MEANS_BROKEN:
        broken(f, &why);
        break;
    case MEANS_TEXT: {
        struct staged_issue *it =
            staged_issue(f, true, "invalid_condition", "\"%.*s\" is no expression: who judges it?",
                         (int)(text.n > 100 ? 100 : text.n), text.p);
        if (item_make(f, s, text))
            staged_fix(f, it, "people do: it is an item of the stage's checklist");
        break;
    }
    }
}

static void conditions_take(struct staged_file *f, struct staged_stage *s, const char *name)
{
    struct json v = json_get_set(s->raw, name);
    struct json_iter it;
    if (!json_exists(v))
        return;
    size_t mark = staged_push(f, "stages[%u].%s", s->index, name);
    size_t most = json_type(v) == JSON_ARRAY ? json_length(v) : 1;
    s->conditions = arena_calloc(&f->r->arena, most + 1, sizeof(*s->conditions));
    if (json_type(v) == JSON_ARRAY) {
        json_iter_init(&it, v);
        while (json_iter_next(&it)) {
            size_t inner = staged_push(f, "[%zu]", it.index);
            condition_take(f, s, it.value);
            staged_pop(f, inner);
        }
    } else {
        condition_take(f, s, v);
    }
    staged_pop(f, mark);
}

void staged_read_conditions(struct staged_file *f)
{
    for (unsigned i = 0; i < f->stage_count; i++) {
        struct staged_stage *s = &f->stages[i];
        conditions_take(
            f, s, json_exists(json_get_set(s->raw, "conditions")) ? "conditions" : "condition");
    }
}

/* ---- transitions ---- */

unsigned ways_from(const struct staged_file *f, unsigned stage, enum staged_way way)
{
    unsigned n = 0;
    for (unsigned i = 0; i < f->way_count; i++)
        n += way_counts(&f->ways[i]) && f->ways[i].from == stage && f->ways[i].way == way;
    return n;
}

static unsigned ways_all(const struct staged_file *f, unsigned stage)
{
    return ways_from(f, stage, WAY_ALWAYS) + ways_from(f, stage, WAY_WHEN) +
           ways_from(f, stage, WAY_PEOPLE);
}

struct staged_transition *staged_way_add(struct staged_file *f, unsigned from, int to,
                                         enum staged_way way)
{
    if (f->way_count == f->way_cap) {
        unsigned cap = f->way_cap ? f->way_cap * 2 : 32;
        struct staged_transition *ways = arena_calloc(&f->r->arena, cap, sizeof(*ways));
        if (f->way_count)
            memcpy(ways, f->ways, f->way_count * sizeof(*ways));
        f->ways = ways;
        f->way_cap = cap;
    }
    struct staged_transition *t = &f->ways[f->way_count++];
    *t = (struct staged_transition){.from = from, .to = to, .way = way};
    if (way == WAY_PEOPLE)
        t->condition = STR("manual");
    return t;
}

/* One end of a transition. False: it leads nowhere. */
static bool end_take(struct staged_file *f, struct json v, const char *name, int *out)
{
    static const char *const ends[] = {"end",      "END",  "End",  "finish",
                                       "finished", "done", "结束", "$end"};
    bool is_from = strcmp(name, "from") == 0;
    struct json at = json_get_set(v, name);
    int near = -1;
    size_t mark = staged_push(f, ".%s", name);
    bool found = false;
    if (json_type(at) != JSON_STRING && json_type(at) != JSON_NUMBER) {
        staged_fix(f, staged_issue(f, true, "missing", "a transition needs the id of a stage here"),
                   "the transition is left out");
        staged_pop(f, mark);
        return false;
    }
    struct str ref = json_type(at) == JSON_STRING ? staged_text(f, at) : json_raw(at);
    *out = staged_find(f, ref, &near);
    found = *out >= 0;
    for (size_t i = 0; !found && !is_from && i < sizeof(ends) / sizeof(ends[0]); i++)
        if (str_eqz(ref, ends[i])) {
            *out = STAGED_TO_END;
            found = true;
        }
    if (!found && is_from &&
        (str_eqz(ref, "start") || str_eqz(ref, "开始") || str_eqz(ref, "$start"))) {
        *out = (int)STAGED_FROM_START;
        found = true;
    }
    if (!found) {
        unknown_stage(f, ref, near, true);
        *out = near;
        found = near >= 0;
    }
    staged_pop(f, mark);
    return found;
}

#define JSON_ESCAPE_BYTES 6 /* \u0000: as long as one byte of a text can be */

static struct str label_take(struct staged_file *f, struct json v)
{
    static const char *const words[] = {"label", "description", "name"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct json at = json_get_set(v, words[i]);
        if (json_type(at) != JSON_STRING || at.n > STAGED_NAME_MAX * JSON_ESCAPE_BYTES + 2)
            continue;
        struct str text = staged_text(f, at);
        if (text.n && text.n <= STAGED_NAME_MAX)
            return text;
    }
    return STR_NULL;
}

static bool way_is_there(const struct staged_file *f, const struct staged_transition *t)
{
    for (const struct staged_transition *o = f->ways; o < t; o++)
        if (!o->dropped && o->from == t->from && o->to == t->to &&
            str_eq(o->condition, t->condition) && str_eq(o->label, t->label))
            return true;
    return false;
}

static void way_take(struct staged_file *f, struct json v, unsigned index)
{
    int from = 0, to = 0;
    if (json_type(v) != JSON_OBJECT) {
        staged_fix(f,
                   staged_issue(f, true, "wrong_type", "a transition must be an object, not %s",
                                json_type_name(json_type(v))),
                   "left out");
        return;
    }
    bool from_good = end_take(f, v, "from", &from), to_good = end_take(f, v, "to", &to);
    if (!from_good || !to_good)
        return;
    struct staged_transition *t = staged_way_add(f, (unsigned)from, to, WAY_ALWAYS);
    t->raw = v;
    t->index = index;
    t->label = label_take(f, v);
    struct json condition = json_get_set(v, "condition");
    if (json_exists(condition)) {
        size_t mark = staged_push(f, ".condition");
        t->condition = condition_text(f, condition);
        staged_pop(f, mark);
    }
    if (way_is_there(f, t)) {
        staged_fix(f, staged_issue(f, false, "duplicate", "the same transition stands there twice"),
                   "left out");
        t->dropped = true;
    }
}

/* A sentence: of the only way on it is something to be done, of several people choose by it. */
static void way_by_people(struct staged_file *f, struct staged_transition *t)
{
    struct str text = t->condition;
    struct staged_issue *it =
        staged_issue(f, true, "invalid_condition", "\"%.*s\" is no expression: who judges it?",
                     (int)(text.n > 100 ? 100 : text.n), text.p);
    if (!t->label.p)
        t->label = (struct str){text.p, text.n > STAGED_NAME_MAX ? shown(text).n : text.n};
    if (ways_all(f, t->from) == 1 && item_make(f, &f->stages[t->from], text)) {
        t->condition = STR_NULL;
        staged_fix(f, it, "people do: it is an item of the checklist of \"%.*s\"",
                   STR_FMT(f->stages[t->from].id));
        return;
    }
    t->way = WAY_PEOPLE;
    t->condition = STR("manual");
    staged_fix(f, it, "people do: they choose the way when \"%.*s\" is done",
               STR_FMT(f->stages[t->from].id));
}

static void way_condition(struct staged_file *f, struct staged_transition *t)
{
    struct errbuf why = {""};
    bool changed = false;
    struct str text = t->condition;
    char code[NAME_BYTES_MAX + 64];
    switch (staged_meaning_of(f, &text, &changed, &why)) {
    case MEANS_ALWAYS:
        break;
    case MEANS_DONE:
        t->done = true;
        break;
    case MEANS_SKIPPED:
        snprintf(code, sizeof(code), "nodes[\"%.*s\"].output.skipped == true",
                 STR_FMT(f->stages[t->from].id));
        t->way = WAY_WHEN;
        t->code = staged_copy(f, str_of(code));
        break;
    case MEANS_PEOPLE:
        t->way = WAY_PEOPLE;
        break;
    case MEANS_CODE:
        if (changed) {
            corrected(f, text);
            t->condition = text;
        }
        t->way = WAY_WHEN;
        t->code = text;
        break;
    case MEANS_BROKEN:
        broken(f, &why);
        break;
    case MEANS_TEXT:
        way_by_people(f, t);
        break;
    }
}

/* "All done" beside another way without a condition is a condition itself. */
static void way_done(struct staged_file *f, struct staged_transition *t)
{
    char code[NAME_BYTES_MAX + 64];
    bool other = false;
    for (unsigned i = 0; i < f->way_count; i++)
        other = other || (way_counts(&f->ways[i]) && f->ways[i].from == t->from &&
                          f->ways[i].way == WAY_ALWAYS && !f->ways[i].done);
    if (!t->done || !other || !way_counts(t))
        return;
    snprintf(code, sizeof(code), "nodes[\"%.*s\"].output.skipped ~= true",
             STR_FMT(f->stages[t->from].id));
    t->way = WAY_WHEN;
    t->code = staged_copy(f, str_of(code));
}

static void ways_linear(struct staged_file *f)
{
    if (f->stage_count < 2)
        return;
    staged_fix(f, staged_issue(f, false, "missing", "the file has no transitions"),
               "one stage follows the other by their order");
    for (unsigned i = 0; i + 1 < f->stage_count; i++)
        staged_way_add(f, f->by_order[i], (int)f->by_order[i + 1], WAY_ALWAYS);
}

static void ways_take(struct staged_file *f, struct json v)
{
    struct json_iter it;
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        size_t mark = staged_push(f, "[%zu]", it.index);
        way_take(f, it.value, (unsigned)it.index);
        staged_pop(f, mark);
    }
}

/* Conditions are looked at when it is known how many ways there are. */
static void ways_conditions(struct staged_file *f)
{
    for (unsigned i = 0; i < f->way_count; i++) {
        struct staged_transition *t = &f->ways[i];
        if (!way_counts(t) || !t->condition.p)
            continue;
        size_t mark = staged_push(f, "[%u].condition", t->index);
        way_condition(f, t);
        staged_pop(f, mark);
    }
    for (unsigned i = 0; i < f->way_count; i++)
        way_done(f, &f->ways[i]);
    for (unsigned i = 0; i < f->way_count; i++) /* what was repaired may be the same now */
        f->ways[i].dropped = f->ways[i].dropped || way_is_there(f, &f->ways[i]);
}

void staged_read_ways(struct staged_file *f)
{
    struct json v = json_get_set(f->root, "transitions");
    enum json_type type = json_type(v);
    size_t mark = staged_push(f, "transitions");
    if (type == JSON_ARRAY && json_length(v) > STAGED_TRANSITIONS_MAX) {
        staged_issue(f, true, "out_of_range", "a file has at most %d transitions, not %zu",
                     STAGED_TRANSITIONS_MAX, json_length(v));
    } else if (type == JSON_ARRAY && json_length(v)) {
        ways_take(f, v);
        ways_conditions(f);
    } else {
        if (type != JSON_NONE && type != JSON_ARRAY)
            staged_fix(f,
                       staged_issue(f, true, "wrong_type", "transitions must be an array, not %s",
                                    json_type_name(type)),
                       "left out");
        ways_linear(f);
    }
    staged_pop(f, mark);
}
