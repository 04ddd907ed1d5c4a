#include <string.h>

#include "engine/staged_private.h"

/* Whether the stages, taken together, lead from a beginning to an end. */

static bool stage_decides(const struct staged_file *f, unsigned stage)
{
    return ways_from(f, stage, WAY_WHEN) || ways_from(f, stage, WAY_PEOPLE);
}

/* ---- the first ---- */

static void entry_find(struct staged_file *f)
{
    f->entry = -1;
    for (unsigned i = 0; i < f->way_count; i++) {
        struct staged_transition *t = &f->ways[i];
        if (t->dropped || t->from != STAGED_FROM_START)
            continue;
        if (f->entry < 0 && t->to >= 0) {
            f->entry = t->to;
            continue;
        }
        size_t mark = staged_push(f, "transitions[%u]", t->index);
        staged_fix(f, staged_issue(f, true, "duplicate", "there is one beginning"), "left out");
        t->dropped = true;
        staged_pop(f, mark);
    }
    for (unsigned i = 0; i < f->stage_count && f->entry < 0; i++) {
        bool follows = false;
        for (unsigned k = 0; k < f->way_count; k++)
            follows = follows || (way_counts(&f->ways[k]) && f->ways[k].to == (int)f->by_order[i] &&
                                  f->ways[k].from != f->by_order[i]);
        if (!follows)
            f->entry = (int)f->by_order[i];
    }
    if (f->entry < 0)
        f->entry = (int)f->by_order[0];
}

/* ---- what nobody can reach ---- */

static void reach(struct staged_file *f)
{
    bool more = true;
    for (unsigned i = 0; i < f->stage_count; i++)
        f->stages[i].reached = false;
    f->stages[f->entry].reached = true;
    while (more) {
        more = false;
        for (unsigned i = 0; i < f->way_count; i++) {
            const struct staged_transition *t = &f->ways[i];
            if (!way_counts(t) || t->to < 0 || !f->stages[t->from].reached ||
                f->stages[t->to].reached)
                continue;
            f->stages[t->to].reached = more = true;
        }
    }
}

/* A stage that has no way to it follows the one before it: as what is done otherwise, or, where
 * something follows already, when people say so. */
static void reach_add(struct staged_file *f, unsigned at)
{
    unsigned stage = f->by_order[at], from = (unsigned)f->entry;
    for (unsigned i = at; i-- > 0;)
        if (f->stages[f->by_order[i]].reached) {
            from = f->by_order[i];
            break;
        }
    bool taken = ways_from(f, from, WAY_ALWAYS) || ways_from(f, from, WAY_PEOPLE);
    size_t mark = staged_push(f, "stages[%u]", f->stages[stage].index);
    staged_fix(f,
               staged_issue(f, true, "unreachable", "no transition leads to \"%.*s\"",
                            STR_FMT(f->stages[stage].id)),
               taken ? "it follows \"%.*s\", when people choose it" : "it follows \"%.*s\"",
               STR_FMT(f->stages[from].id));
    staged_way_add(f, from, (int)stage, taken ? WAY_PEOPLE : WAY_ALWAYS);
    staged_pop(f, mark);
}

static void check_reach(struct staged_file *f)
{
    reach(f);
    for (unsigned i = 0; i < f->stage_count; i++) {
        if (f->stages[f->by_order[i]].reached)
            continue;
        reach_add(f, i);
        reach(f);
    }
}

/* ---- circles that nobody decides ---- */

/* Among the stages from `at` on over ways without a decision: one that leads back to a stage on the
 * way to it; or NULL. `mark` says who is on that way. */
static struct staged_transition *circle_from(struct staged_file *f, unsigned at, bool *seen,
                                             unsigned *stack, unsigned *next)
{
    unsigned depth = 0;
    stack[depth] = at;
    next[depth++] = 0;
    f->stages[at].mark = seen[at] = true;
    while (depth) {
        unsigned stage = stack[depth - 1], i = next[depth - 1]++;
        if (i >= f->way_count || stage_decides(f, stage)) {
            f->stages[stage].mark = false;
            depth--;
            continue;
        }
        struct staged_transition *t = &f->ways[i];
        if (!way_counts(t) || t->from != stage || t->to < 0)
            continue;
        if (f->stages[t->to].mark && !stage_decides(f, (unsigned)t->to))
            return t;
        if (!seen[t->to]) {
            stack[depth] = (unsigned)t->to;
            next[depth++] = 0;
            f->stages[t->to].mark = seen[t->to] = true;
        }
    }
    return NULL;
}

static struct staged_transition *circle_find(struct staged_file *f, bool *seen, unsigned *stack,
                                             unsigned *next)
{
    memset(seen, 0, f->stage_count * sizeof(*seen));
    for (unsigned i = 0; i < f->stage_count; i++)
        f->stages[i].mark = false;
    for (unsigned i = 0; i < f->stage_count; i++) {
        unsigned at = i ? f->by_order[i - 1] : (unsigned)f->entry;
        struct staged_transition *t = seen[at] ? NULL : circle_from(f, at, seen, stack, next);
        if (t)
            return t;
    }
    return NULL;
}

static void check_circles(struct staged_file *f)
{
    bool *seen = arena_calloc(&f->r->arena, f->stage_count, sizeof(*seen));
    unsigned *stack = arena_calloc(&f->r->arena, f->stage_count + 1, sizeof(*stack));
    unsigned *next = arena_calloc(&f->r->arena, f->stage_count + 1, sizeof(*next));
    struct staged_transition *t;
    while ((t = circle_find(f, seen, stack, next))) {
        bool written = json_exists(t->raw);
        size_t mark =
            written ? staged_push(f, "transitions[%u]", t->index) : staged_push(f, "transitions");
        staged_fix(f,
                   staged_issue(f, true, "cycle",
                                "from \"%.*s\" back to \"%.*s\": nobody decides that it goes round "
                                "again",
                                STR_FMT(f->stages[t->from].id), STR_FMT(f->stages[t->to].id)),
                   "people decide it");
        t->way = WAY_PEOPLE;
        t->condition = STR("manual");
        t->done = false;
        staged_pop(f, mark);
    }
}

/* ---- ways out ---- */

/* A stage ends the whole when nothing follows it, or maybe nothing does. */
static bool stage_may_end(const struct staged_file *f, unsigned stage)
{
    return !ways_from(f, stage, WAY_ALWAYS) && !ways_from(f, stage, WAY_PEOPLE);
}

static void ends_mark(struct staged_file *f)
{
    bool more = true;
    for (unsigned i = 0; i < f->stage_count; i++)
        f->stages[i].mark = stage_may_end(f, i);
    while (more) {
        more = false;
        for (unsigned i = 0; i < f->way_count; i++) {
            const struct staged_transition *t = &f->ways[i];
            if (!way_counts(t) || f->stages[t->from].mark || (t->to >= 0 && !f->stages[t->to].mark))
                continue;
            f->stages[t->from].mark = more = true;
        }
    }
}

static void check_ends(struct staged_file *f)
{
    ends_mark(f);
    for (unsigned i = f->stage_count; i-- > 0;) {
        unsigned stage = f->by_order[i];
        if (f->stages[stage].mark)
            continue;
        size_t mark = staged_push(f, "stages[%u]", f->stages[stage].index);
        staged_fix(f,
                   staged_issue(f, true, "no_end", "from \"%.*s\" nothing leads to an end",
                                STR_FMT(f->stages[stage].id)),
                   "people may end it there");
        staged_way_add(f, stage, STAGED_TO_END, WAY_PEOPLE);
        staged_pop(f, mark);
        ends_mark(f);
    }
}

/* Where all ways on have conditions and none has to hold. */
static void check_defaults(struct staged_file *f)
{
    for (unsigned i = 0; i < f->stage_count; i++) {
        if (!ways_from(f, i, WAY_WHEN) || !stage_may_end(f, i))
            continue;
        size_t mark = staged_push(f, "stages[%u]", f->stages[i].index);
        staged_issue(f, false, "no_default",
                     "when no condition behind \"%.*s\" holds, the workflow ends there",
                     STR_FMT(f->stages[i].id));
        staged_pop(f, mark);
    }
}

void staged_check_flow(struct staged_file *f)
{
    entry_find(f);
    check_reach(f);
    check_circles(f);
    check_ends(f);
    check_defaults(f);
}
