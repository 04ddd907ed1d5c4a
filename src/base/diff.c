#include "base/diff.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define CONTEXT 3

/* A text as lines, each with its newline (the last may have none). */
struct lines {
    struct str *at;
    int count;
};

static int lines_count(struct str text)
{
    int count = 0;
    for (const char *p = text.p, *end = text.p + text.n; text.n && p < end; count++) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        p = nl ? nl + 1 : end;
    }
    return count;
}

static void lines_split(struct lines *l, struct str text)
{
    const char *p = text.p, *end = text.p + text.n;
    l->count = lines_count(text);
    l->at = mem_calloc((size_t)l->count + 1, sizeof(*l->at));
    for (int i = 0; i < l->count; i++) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        const char *next = nl ? nl + 1 : end;
        l->at[i] = (struct str){p, (size_t)(next - p)};
        p = next;
    }
}

/* What is left between the equal lines at both ends, and which of it goes and comes. */
struct diff {
    struct lines a, b;
    int head;         /* equal lines before */
    int n, m;         /* lines of a and of b between */
    bool *gone, *new; /* beside a.at and b.at */
};

static bool line_eq(const struct diff *d, int i, int k)
{
    return str_eq(d->a.at[d->head + i], d->b.at[d->head + k]);
}

static void diff_trim(struct diff *d)
{
    int most = d->a.count < d->b.count ? d->a.count : d->b.count, tail = 0;
    while (d->head < most && str_eq(d->a.at[d->head], d->b.at[d->head]))
        d->head++;
    while (tail < most - d->head &&
           str_eq(d->a.at[d->a.count - 1 - tail], d->b.at[d->b.count - 1 - tail]))
        tail++;
    d->n = d->a.count - d->head - tail;
    d->m = d->b.count - d->head - tail;
}

/* ---- the shortest edit ---- */

/* The furthest x that `edits` edits reach on diagonal k, from those of one edit less. */
static int furthest(const struct diff *d, const int *before, int k, int edits)
{
    const int *v = before + DIFF_EDITS_MAX + 1;
    int x = 0;
    if (edits)
        x = k == -edits || (k != edits && v[k - 1] < v[k + 1]) ? v[k + 1] : v[k - 1] + 1;
    int y = x - k;
    while (x < d->n && y < d->m && y >= 0 && line_eq(d, x, y)) {
        x++;
        y++;
    }
    return x;
}

/* Walks back through what every number of edits had reached. */
static void diff_trace(struct diff *d, int *const *steps, int edits)
{
    int x = d->n, y = d->m;
    for (int e = edits; e > 0; e--) {
        const int *v = steps[e - 1] + DIFF_EDITS_MAX + 1;
        int k = x - y;
        bool down = k == -e || (k != e && v[k - 1] < v[k + 1]);
        int from = down ? v[k + 1] : v[k - 1];
        x = from;
        y = from - (down ? k + 1 : k - 1);
        if (down)
            d->new[d->head + y] = true;
        else
            d->gone[d->head + x] = true;
    }
}

/* False: they differ in more than DIFF_EDITS_MAX lines. */
static bool diff_shortest(struct diff *d)
{
    size_t width = 2 * (DIFF_EDITS_MAX + 1) + 1;
    int *steps[DIFF_EDITS_MAX + 1], done = 0;
    bool found = false;
    int *zero = mem_calloc(width, sizeof(int));
    for (int edits = 0; edits <= DIFF_EDITS_MAX && !found; edits++) {
        const int *before = edits ? steps[edits - 1] : zero;
        int *v = mem_calloc(width, sizeof(int));
        steps[done++] = v;
        for (int k = -edits; k <= edits && !found; k += 2) {
            int x = furthest(d, before, k, edits);
            v[DIFF_EDITS_MAX + 1 + k] = x;
            found = x == d->n && x - k == d->m;
        }
        if (found)
            diff_trace(d, steps, edits);
    }
    for (int i = 0; i < done; i++)
        free(steps[i]);
    free(zero);
    return found;
}

/* ---- as text ---- */

static void line_write(struct buf *out, char mark, struct str line)
{
    buf_append_char(out, mark);
    buf_append_str(out, line);
    if (line.p[line.n - 1] != '\n')
        buf_append_z(out, "\n\\ No newline at end of file\n");
}

static bool differs(const struct diff *d, int i, int k)
{
    return (i < d->a.count && d->gone[i]) || (k < d->b.count && d->new[k]);
}

/* From a change at (i, k): how far its hunk reaches. Changes with up to six equal lines between
 * them share one. */
static void hunk_end(const struct diff *d, int *i, int *k)
{
    int x = *i, y = *k, equal = 0;
    while (x < d->a.count || y < d->b.count) {
        if (differs(d, x, y)) {
            while (x < d->a.count && d->gone[x])
                x++;
            while (y < d->b.count && d->new[y])
                y++;
            *i = x;
            *k = y;
            equal = 0;
        } else if (++equal > 2 * CONTEXT) {
            break;
        } else {
            x++;
            y++;
        }
    }
    int left = d->a.count - *i < CONTEXT ? d->a.count - *i : CONTEXT;
    *i += left;
    *k += left;
}

static void range_write(struct buf *out, char mark, int from, int count)
{
    buf_printf(out, "%c%d", mark, count ? from + 1 : from);
    if (count != 1)
        buf_printf(out, ",%d", count);
}

/* Up to (i, k), which hunk_end() gave. */
static void hunk_write(const struct diff *d, struct buf *out, int from_a, int from_b, int i, int k)
{
    buf_append_z(out, "@@ ");
    range_write(out, '-', from_a, i - from_a);
    buf_append_char(out, ' ');
    range_write(out, '+', from_b, k - from_b);
    buf_append_z(out, " @@\n");
    for (int x = from_a, y = from_b; x < i || y < k;) {
        if (x < i && d->gone[x])
            line_write(out, '-', d->a.at[x++]);
        else if (y < k && d->new[y])
            line_write(out, '+', d->b.at[y++]);
        else {
            line_write(out, ' ', d->a.at[x++]);
            y++;
        }
    }
}

static void diff_write(const struct diff *d, struct buf *out)
{
    for (int i = 0, k = 0; i < d->a.count || k < d->b.count;) {
        if (!differs(d, i, k)) {
            i++;
            k++;
            continue;
        }
        int before = i < CONTEXT ? i : CONTEXT, from_a = i - before, from_b = k - before;
        hunk_end(d, &i, &k);
        hunk_write(d, out, from_a, from_b, i, k);
    }
}

int diff_unified(struct str a, struct str b, const char *name_a, const char *name_b,
                 struct buf *out)
{
    struct diff d = {.head = 0};
    if (a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n)))
        return 0;
    lines_split(&d.a, a);
    lines_split(&d.b, b);
    diff_trim(&d);
    d.gone = mem_calloc((size_t)d.a.count + 1, sizeof(bool));
    d.new = mem_calloc((size_t)d.b.count + 1, sizeof(bool));
    bool small = d.a.count <= DIFF_LINES_MAX && d.b.count <= DIFF_LINES_MAX;
    if (!small || !diff_shortest(&d)) {
        memset(d.gone + d.head, true, (size_t)d.n);
        memset(d.new + d.head, true, (size_t)d.m);
    }
    buf_printf(out, "--- %s\n+++ %s\n", name_a, name_b);
    diff_write(&d, out);
    free(d.a.at);
    free(d.b.at);
    free(d.gone);
    free(d.new);
    return buf_error(out);
}
