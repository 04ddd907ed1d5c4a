#include "engine/workflow_private.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENTENCE_BYTES_MAX 1024
#define DISTANCE_MAX       3 /* more edits than this are another word */

void workflow_issues_init(struct workflow_issues *w)
{
    *w = (struct workflow_issues){0};
    arena_init(&w->arena);
}

void workflow_issues_deinit(struct workflow_issues *w)
{
    arena_deinit(&w->arena);
    *w = (struct workflow_issues){0};
}

/* ---- paths ---- */

size_t path_push(struct wf_parse *p, const char *fmt, ...)
{
    size_t before = p->path_len;
    size_t room = sizeof(p->path) - before;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(p->path + before, room, fmt, ap);
    va_end(ap);
    /* A path that does not fit is cut: deeply nested odd keys are not worth more. */
    p->path_len = (size_t)n < room ? before + (size_t)n : sizeof(p->path) - 1;
    return before;
}

size_t path_push_key(struct wf_parse *p, struct str key)
{
    const char *dot = p->path_len ? "." : "";
    if (name_is_valid(key))
        return path_push(p, "%s%.*s", dot, STR_FMT(key));
    struct str cut = shown(key);
    return path_push(p, "[\"%.*s%s\"]", STR_FMT(cut), cut.n < key.n ? "…" : "");
}

void path_pop(struct wf_parse *p, size_t len)
{
    p->path_len = len;
    p->path[len] = 0;
}

struct str shown(struct str s)
{
    if (s.n <= NAME_BYTES_MAX)
        return s;
    s.n = NAME_BYTES_MAX;
    while (s.n > 0 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
        s.n--;
    return s;
}

/* ---- the list ---- */

/* Room for one more; NULL when the list is full. An error may take a warning's place. */
static struct workflow_issue *issue_slot(struct wf_parse *p, bool is_error, unsigned *index)
{
    struct workflow_issues *list = p->issues;
    if (!list->items)
        list->items = arena_calloc(&list->arena, WORKFLOW_ISSUES_MAX, sizeof(*list->items));
    if (list->count < WORKFLOW_ISSUES_MAX) {
        *index = list->count++;
        return &list->items[*index];
    }
    if (!is_error || list->errors == list->count)
        return NULL;
    for (*index = list->count - 1; list->items[*index].severity[0] == 'e';)
        --*index;
    return &list->items[*index];
}

static struct str arena_str(struct arena *a, const char *p, size_t n)
{
    return (struct str){arena_strdup(a, (struct str){p, n}), n};
}

__attribute__((format(printf, 5, 0))) static void issue_add(struct wf_parse *p, bool is_error,
                                                            const char *at, const char *code,
                                                            const char *fmt, va_list ap)
{
    unsigned i;
    struct workflow_issue *it = issue_slot(p, is_error, &i);
    if (!it)
        return;
    char text[SENTENCE_BYTES_MAX];
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    struct arena *a = &p->issues->arena;
    it->severity = is_error ? "error" : "warning";
    it->path = arena_str(a, p->path, p->path_len);
    it->code = str_of(code);
    it->message = arena_str(a, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
    it->node_id = STR_NULL;
    if (p->node >= 0) {
        struct str id = p->w->nodes[p->node].id;
        it->node_id = arena_str(a, id.p, id.n);
    }
    p->issue_at[i] = at;
    if (is_error)
        p->issues->errors++;
}

void issue_error(struct wf_parse *p, const char *at, const char *code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    issue_add(p, true, at, code, fmt, ap);
    va_end(ap);
}

void issue_warning(struct wf_parse *p, const char *at, const char *code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    issue_add(p, false, at, code, fmt, ap);
    va_end(ap);
}

static bool issue_is_after(const struct wf_parse *p, unsigned a, unsigned b)
{
    const struct workflow_issue *x = &p->issues->items[a], *y = &p->issues->items[b];
    if (x->severity[0] != y->severity[0])
        return x->severity[0] == 'w';
    return (uintptr_t)p->issue_at[a] > (uintptr_t)p->issue_at[b];
}

/* Insertion sort: stable, and there are at most a hundred. */
void issues_sort(struct wf_parse *p)
{
    struct workflow_issue *items = p->issues->items;
    for (unsigned i = 1; i < p->issues->count; i++) {
        for (unsigned k = i; k > 0 && issue_is_after(p, k - 1, k); k--) {
            struct workflow_issue it = items[k];
            const char *at = p->issue_at[k];
            items[k] = items[k - 1];
            p->issue_at[k] = p->issue_at[k - 1];
            items[k - 1] = it;
            p->issue_at[k - 1] = at;
        }
    }
}

/* ---- "did you mean" ---- */

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

/* One cell of the table: insert, delete, replace, or swap two neighbours. */
static unsigned edit_cell(struct str a, struct str b, size_t i, size_t j,
                          unsigned rows[3][NAME_BYTES_MAX + 2])
{
    unsigned *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
    unsigned same = a.p[i - 1] == b.p[j - 1] ? 0 : 1;
    unsigned d = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + same);
    if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] &&
        before[j - 2] + 1 < d)
        d = before[j - 2] + 1;
    return d;
}

/* Edit distance of two words of at most NAME_BYTES_MAX bytes, or DISTANCE_MAX + 1 when it is more.
 * Only a band around the diagonal is looked at, so that 1,000 similar names stay cheap. */
static unsigned edit_distance(struct str a, struct str b)
{
    unsigned rows[3][NAME_BYTES_MAX + 2];
    size_t gap = a.n > b.n ? a.n - b.n : b.n - a.n;
    if (gap > DISTANCE_MAX)
        return DISTANCE_MAX + 1;
    for (size_t k = 0; k < 3; k++)
        for (size_t j = 0; j <= b.n; j++)
            rows[k][j] = k == 0 ? (unsigned)j : DISTANCE_MAX + 1;
    for (size_t i = 1; i <= a.n; i++) {
        unsigned *now = rows[i % 3];
        size_t lo = i > DISTANCE_MAX ? i - DISTANCE_MAX : 1;
        size_t hi = i + DISTANCE_MAX < b.n ? i + DISTANCE_MAX : b.n;
        now[lo - 1] = lo == 1 && i <= DISTANCE_MAX ? (unsigned)i : DISTANCE_MAX + 1;
        unsigned least = now[lo - 1];
        for (size_t j = lo; j <= hi; j++) {
            now[j] = edit_cell(a, b, i, j, rows);
            if (now[j] < least)
                least = now[j];
        }
        if (hi < b.n)
            now[hi + 1] = DISTANCE_MAX + 1;
        if (least > DISTANCE_MAX)
            return DISTANCE_MAX + 1;
    }
    return rows[a.n % 3][b.n];
}

void suggest_init(struct suggestion *s, struct str word)
{
    *s = (struct suggestion){.word = word, .distance = DISTANCE_MAX + 1};
}

void suggest_offer(struct suggestion *s, struct str candidate)
{
    if (s->word.n > NAME_BYTES_MAX || candidate.n > NAME_BYTES_MAX)
        return;
    unsigned d = edit_distance(s->word, candidate);
    /* One edit in three letters: "pro" must not be told to be "con". */
    if (d < s->distance && d * 3 <= (s->word.n > candidate.n ? s->word.n : candidate.n)) {
        s->distance = d;
        s->best = candidate;
    }
}

const char *suggest_text(struct wf_parse *p, const struct suggestion *s)
{
    if (!s->best.p)
        return "";
    char text[NAME_BYTES_MAX + 32];
    snprintf(text, sizeof(text), "; did you mean \"%.*s\"?", STR_FMT(s->best));
    return arena_strdup(&p->scratch, str_of(text));
}
