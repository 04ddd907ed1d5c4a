/* Which memories answer a question: the same for every store, so that a session that moves to
 * another one remembers the same. A store finds those that may (by its indexes, each as it can
 * best); how well they do is said here, from what they are. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/rules.h"

#define HALF_LIFE_MS   (7.0 * 86400 * 1000)
#define AGE_WEIGHT     0.05 /* of two that answer the same, the newer */
#define VECTOR_WEIGHT  0.6  /* where words and vectors are asked for */
#define NO_VECTOR      0.7  /* what words alone say of a row whose vector is not comparable */
#define OFTEN_WEIGHT   0.2  /* how often a word is in the text, rather than whether */
#define LENGTH_TYPICAL 120.0

/* ---- words ---- */

/* Where h is, or would be. */
static int question_place(const struct memory_question *q, uint64_t h)
{
    int low = 0, high = q->count;

    while (low < high) {
        int middle = low + (high - low) / 2;
        if (q->hashes[middle] < h)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void rules_question_init(struct memory_question *q, struct str text)
{
    struct words w;

    memset(q, 0, sizeof(*q));
    words_init(&w, text, WORDS_OF_QUESTION);
    while (q->count < RULES_QUESTION_WORDS && words_next(&w)) {
        int at = question_place(q, w.hash);
        size_t after = (size_t)(q->count - at);
        if (after > 0 && q->hashes[at] == w.hash)
            continue;
        memmove(&q->hashes[at + 1], &q->hashes[at], after * sizeof(q->hashes[0]));
        memmove(&q->words[at + 1], &q->words[at], after * sizeof(q->words[0]));
        q->hashes[at] = w.hash;
        memcpy(q->words[at], w.word.p, w.word.n);
        q->words[at][w.word.n] = '\0';
        q->weights[q->count++] = 1;
    }
}

void rules_question_weigh(struct memory_question *q, const int64_t *found, int64_t texts)
{
    for (int i = 0; i < q->count; i++) {
        double have = (double)(found[i] < texts ? found[i] : texts), all = (double)texts;
        q->weights[i] = texts > 0 ? 0.1 + 0.9 * log((all + 1) / (have + 1)) / log(all + 1) : 1;
    }
}

double rules_question_score(const struct memory_question *q, struct str content)
{
    int times[RULES_QUESTION_WORDS] = {0}, length = 0;
    double all = 0, sum = 0;
    struct words w;

    words_init(&w, content, WORDS_OF_TEXT);
    while (words_next(&w)) {
        int at = question_place(q, w.hash);
        length++;
        if (at < q->count && q->hashes[at] == w.hash)
            times[at]++;
    }
    double longer = 1.2 * (0.25 + 0.75 * length / LENGTH_TYPICAL); /* as in BM25 */
    for (int i = 0; i < q->count; i++) {
        all += q->weights[i];
        if (times[i] > 0)
            sum +=
                q->weights[i] * (1 - OFTEN_WEIGHT + OFTEN_WEIGHT * times[i] / (times[i] + longer));
    }
    return sum > 0 ? sum / all : -1;
}

static int compare_found(const void *a, const void *b)
{
    const struct memory_pick *x = a, *y = b;

    return x->found != y->found ? (x->found < y->found ? -1 : 1) : x->word - y->word;
}

void rules_question_plan(struct memory_plan *plan, const struct memory_question *q,
                         const int64_t *found)
{
    int64_t sum = 0;
    int known = 0;

    *plan = (struct memory_plan){.any_count = 0};
    for (int i = 0; i < q->count; i++)
        if (found[i] > 0)
            plan->picks[known++] = (struct memory_pick){i, found[i]};
    qsort(plan->picks, (size_t)known, sizeof(plan->picks[0]), compare_found);
    while (plan->any_count < known &&
           (plan->any_count == 0 || sum + plan->picks[plan->any_count].found <= RULES_COMMON))
        sum += plan->picks[plan->any_count++].found;
    plan->all_count = sum >= RULES_COMMON && known > 1 ? known : 0;
}

/* ---- which ---- */

size_t rules_memory_pool(const struct store_memory_query *m, const struct memory_question *q)
{
    size_t limit = (size_t)page_of(m->limit).left;

    return q->count > 0 ? 4 * limit + 50 : 2 * limit + 20;
}

bool rules_memory_has_vector(const struct memory_row *row, const struct store_memory_query *m)
{
    return m->embedding && row->dimensions == m->dimensions && row->model.p && m->model.p &&
           str_eq(row->model, m->model);
}

unsigned rules_memory_tiers(unsigned tiers)
{
    return tiers ? tiers : MEMORY_WORKING | MEMORY_LONG_TERM;
}

bool rules_memory_matches(const struct memory_row *row, const struct store_memory_query *m)
{
    return str_eq(rules_workspace(row->workspace), rules_workspace(m->workspace)) &&
           str_eq(row->group_id, rules_text(m->group_id)) &&
           (rules_memory_tiers(m->tiers) & (unsigned)row->tier) != 0 &&
           (!m->agent_id.p || (row->agent_id.p && str_eq(row->agent_id, m->agent_id))) &&
           !(m->group_only && row->agent_id.p) &&
           (id_is_zero(m->session_id) || id_eq(row->session_id, m->session_id)) &&
           row->created_at > m->created_after &&
           (m->created_before <= 0 || row->created_at < m->created_before);
}

static double memory_fused(const struct memory_row *row, const struct store_memory_query *m,
                           const struct memory_question *q)
{
    double text = row->text_score > 0 ? row->text_score : 0;

    if (q->count > 0 && m->embedding)
        return row->vector_score < 0
                   ? NO_VECTOR * text
                   : (1 - VECTOR_WEIGHT) * text + VECTOR_WEIGHT * row->vector_score;
    if (m->embedding)
        return row->vector_score > 0 ? row->vector_score : 0;
    return q->count > 0 ? text : 1;
}

static void memory_score(struct memory_row *row, const struct store_memory_query *m,
                         const struct memory_question *q, int64_t newest_at)
{
    double recent = exp2(((double)row->created_at - (double)newest_at) / HALF_LIFE_MS);
    bool asked = q->count > 0 || m->embedding;

    row->text_score = q->count > 0 ? rules_question_score(q, row->content) : -1;
    row->vector_score = row->embedding && rules_memory_has_vector(row, m)
                            ? rules_vector_score(row->embedding, m->embedding, m->dimensions)
                            : -1;
    row->embedding = NULL;
    row->score = asked ? memory_fused(row, m, q) * (1 - AGE_WEIGHT + AGE_WEIGHT * recent) : recent;
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

struct memory_row *rules_memory_best(struct memory_row *rows, const struct store_memory_query *m,
                                     const struct memory_question *q)
{
    struct memory_row *best = NULL, **tail = &best, **ranked;
    size_t count = 0, total = 0, left = (size_t)page_of(m->limit).left;
    int64_t newest_at = INT64_MIN;

    for (struct memory_row *row = rows; row; row = row->next) {
        newest_at = row->created_at > newest_at ? row->created_at : newest_at;
        total++;
    }
    if (total == 0)
        return NULL;
    ranked = mem_alloc(total * sizeof(struct memory_row *));
    for (struct memory_row *row = rows; row; row = row->next) {
        memory_score(row, m, q, newest_at);
        if (row->score > 0 && row->score >= m->score_min)
            ranked[count++] = row;
    }
    qsort(ranked, count, sizeof(struct memory_row *), memory_compare);
    for (size_t i = 0; i < count && i < left; i++) {
        *tail = ranked[i];
        tail = &ranked[i]->next;
    }
    *tail = NULL;
    free(ranked);
    return best;
}

/* ---- lists ---- */

struct str rules_memory_cursor(struct arena *a, const struct memory_row *last)
{
    return cursor_encode(a, CURSOR_MEMORIES, last->created_at, 0,
                         (struct str){(const char *)last->id.b, sizeof(last->id.b)});
}

int rules_memory_cursor_read(struct str text, struct cursor *c, struct id *id, struct errbuf *e)
{
    *c = (struct cursor){.a = INT64_MAX};
    memset(id->b, 0xff, sizeof(id->b));
    if (!text.p)
        return 0;
    int status = cursor_decode(text, CURSOR_MEMORIES, c, e);
    if (status == 0 && c->key_bytes != sizeof(id->b))
        return err_set(e, ERR_INVALID, "the cursor is none of ours");
    if (status == 0)
        memcpy(id->b, c->key, sizeof(id->b));
    return status;
}
