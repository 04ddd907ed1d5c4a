/* Which memories answer a question: the same for every store, so that a session that moves to
 * another one remembers the same. No index: a group's newest few thousand are looked at. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "store/rules.h"

#define MEMORY_HALF_LIFE_MS (7.0 * 86400 * 1000)
#define MEMORY_AGE_WEIGHT   0.15
#define MEMORY_CONTENT_MAX  (64u << 10) /* bytes that are looked at */

/* ---- characters ---- */

static uint32_t memory_decode(const char *p, size_t n)
{
    const uint8_t *b = (const uint8_t *)p;

    switch (n) {
    case 1:
        return b[0];
    case 2:
        return (b[0] & 0x1fu) << 6 | (b[1] & 0x3fu);
    case 3:
        return (b[0] & 0x0fu) << 12 | (b[1] & 0x3fu) << 6 | (b[2] & 0x3fu);
    case 4:
        return (b[0] & 0x07u) << 18 | (b[1] & 0x3fu) << 12 | (b[2] & 0x3fu) << 6 | (b[3] & 0x3fu);
    default:
        return ' '; /* not a character: it parts words */
    }
}

/* Lower case of Latin, Greek and Cyrillic letters. */
static uint32_t memory_fold(uint32_t c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) ||
        (c >= 0x391 && c <= 0x3a9) || (c >= 0x410 && c <= 0x42f))
        return c + 32;
    if (c >= 0x400 && c <= 0x40f)
        return c + 80;
    if ((c >= 0x100 && c <= 0x137) || (c >= 0x14a && c <= 0x177) || (c >= 0x460 && c <= 0x4ff))
        return c | 1;
    return c;
}

/* Scripts that are written without spaces. */
static bool memory_is_cjk(uint32_t c)
{
    return (c >= 0x3040 && c <= 0x30ff) || (c >= 0x3400 && c <= 0x9fff) ||
           (c >= 0xac00 && c <= 0xd7af) || (c >= 0xf900 && c <= 0xfaff) ||
           (c >= 0x20000 && c <= 0x3ffff);
}

static bool memory_is_letter(uint32_t c)
{
    if (c < 0x80)
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return c >= 0xc0 && c != 0xd7 && c != 0xf7 && !(c >= 0x2000 && c <= 0x2bff) &&
           !(c >= 0x3000 && c <= 0x303f) && !(c >= 0xfe00 && c <= 0xfe0f) &&
           !(c >= 0xff00 && c <= 0xff0f);
}

/* ---- words ---- */

struct memory_words {
    struct str text;
    size_t at;
    uint32_t before; /* the CJK character that the next one makes a pair with; 0: none */
};

#define FNV_BEGIN 14695981039346656037u
#define FNV(h, c) (((h) ^ (c)) * 1099511628211u)

/* The next character, folded; its bytes are passed over. */
static uint32_t memory_char(struct memory_words *w, size_t *bytes)
{
    size_t n = utf8_char_len(w->text.p + w->at, w->text.n - w->at);

    *bytes = n ? n : 1;
    return memory_fold(memory_decode(w->text.p + w->at, n));
}

/* The rest of a word that begins here. */
static uint64_t memory_word(struct memory_words *w)
{
    uint64_t h = FNV_BEGIN;

    while (w->at < w->text.n) {
        size_t bytes;
        uint32_t c = memory_char(w, &bytes);
        if (!memory_is_letter(c) || memory_is_cjk(c))
            break;
        h = FNV(h, c);
        w->at += bytes;
    }
    return h;
}

/* A character with the one before it; a single one between others is a word too. */
static bool memory_pair(struct memory_words *w, uint32_t c, uint64_t *out)
{
    uint32_t before = w->before;
    size_t bytes;

    w->before = c;
    if (before) {
        *out = FNV(FNV(FNV_BEGIN, before), c);
        return true;
    }
    if (w->at < w->text.n && memory_is_cjk(memory_char(w, &bytes)))
        return false; /* the pair will be one */
    *out = FNV(FNV_BEGIN, c);
    return true;
}

static bool memory_next(struct memory_words *w, uint64_t *out)
{
    while (w->at < w->text.n) {
        size_t bytes;
        uint32_t c = memory_char(w, &bytes);
        if (memory_is_cjk(c)) {
            w->at += bytes;
            if (memory_pair(w, c, out))
                return true;
            continue;
        }
        w->before = 0;
        if (memory_is_letter(c)) {
            *out = memory_word(w);
            return true;
        }
        w->at += bytes;
    }
    return false;
}

/* ---- scores ---- */

/* Where h is, or would be. */
static int memory_place(const struct memory_query *q, uint64_t h)
{
    int low = 0, high = q->count;

    while (low < high) {
        int middle = low + (high - low) / 2;
        if (q->words[middle] < h)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void rules_memory_query(struct memory_query *q, struct str text, int64_t newest_at)
{
    struct memory_words w = {.text = text};
    uint64_t h;

    *q = (struct memory_query){.newest_at = newest_at};
    while (q->count < RULES_QUERY_WORDS_MAX && memory_next(&w, &h)) {
        int at = memory_place(q, h);
        if (at < q->count && q->words[at] == h)
            continue;
        for (int i = q->count++; i > at; i--)
            q->words[i] = q->words[i - 1];
        q->words[at] = h;
    }
}

double rules_memory_score(const struct memory_query *q, struct str content, int64_t created_at)
{
    double age = created_at < q->newest_at ? (double)(q->newest_at - created_at) : 0;
    double recency = exp2(-age / MEMORY_HALF_LIFE_MS);
    struct memory_words w = {.text = content};
    bool seen[RULES_QUERY_WORDS_MAX] = {false};
    int common = 0;
    uint64_t h;

    if (q->count == 0)
        return recency;
    if (w.text.n > MEMORY_CONTENT_MAX)
        w.text.n = MEMORY_CONTENT_MAX;
    while (common < q->count && memory_next(&w, &h)) {
        int at = memory_place(q, h);
        if (at == q->count || q->words[at] != h || seen[at])
            continue;
        seen[at] = true;
        common++;
    }
    if (common == 0)
        return 0;
    return (1 - MEMORY_AGE_WEIGHT) * common / q->count + MEMORY_AGE_WEIGHT * recency;
}

/* The better first; of equals the newer. */
static int memory_compare(const void *a, const void *b)
{
    const struct memory_row *x = *(struct memory_row *const *)a;
    const struct memory_row *y = *(struct memory_row *const *)b;

    if (x->score > y->score || x->score < y->score)
        return x->score > y->score ? -1 : 1;
    if (x->created_at != y->created_at)
        return x->created_at > y->created_at ? -1 : 1;
    return memcmp(y->id.b, x->id.b, sizeof(x->id.b));
}

struct memory_row *rules_memory_best(struct memory_row *rows, const struct store_memory_query *m)
{
    struct memory_row *best = NULL, **tail = &best;
    struct memory_row **ranked;
    int count = 0, total = 0;
    struct memory_query q;

    for (struct memory_row *row = rows; row; row = row->next)
        total++;
    if (total == 0)
        return NULL;
    rules_memory_query(&q, m->query, rows->created_at);
    ranked = mem_alloc((size_t)total * sizeof(struct memory_row *));
    for (struct memory_row *row = rows; row; row = row->next) {
        row->score = rules_memory_score(&q, row->content, row->created_at);
        if (row->score > 0 && row->score >= m->score_min)
            ranked[count++] = row;
    }
    qsort(ranked, (size_t)count, sizeof(struct memory_row *), memory_compare);
    int left = page_of(m->limit).left;
    for (int i = 0; i < count && i < left; i++) {
        *tail = ranked[i];
        tail = &(*tail)->next;
    }
    *tail = NULL;
    free(ranked);
    return best;
}
