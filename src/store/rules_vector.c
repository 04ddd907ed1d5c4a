#include "store/rules_vector.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define VECTOR_X86 1
#include <immintrin.h>
#endif

#define CODE_HEAD (2 * sizeof(float))
#define PARTS_MAX                                                                                  \
    16383 /* times 127, as often as there are dimensions: fits 32 bits in eight lanes */
#define ROUNDING   1e-5 /* of all this arithmetic in floats */
#define POOL_GROWS 1024

/* ---- arithmetic ---- */

static int64_t dot_plain(const int16_t *a, const int8_t *b, unsigned n)
{
    int64_t sum = 0;

    for (unsigned at = 0; at < n;) {
        int32_t part = 0; /* 256 of them fit */
        unsigned end = n - at > 256 ? at + 256 : n;
        for (; at < end; at++)
            part += a[at] * b[at];
        sum += part;
    }
    return sum;
}

#ifdef VECTOR_X86
__attribute__((target("avx2"))) static __m256i dot_step(__m256i sum, const int16_t *a,
                                                        const int8_t *b)
{
    __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)b));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_loadu_si256((const __m256i *)a), wide));
}

__attribute__((target("avx2"))) static int64_t dot_avx2(const int16_t *a, const int8_t *b,
                                                        unsigned n)
{
    __m256i x = _mm256_setzero_si256(), y = x;
    int32_t lanes[16];
    unsigned at = 0;
    int64_t sum = 0;

    for (; at + 32 <= n; at += 32) {
        x = dot_step(x, a + at, b + at);
        y = dot_step(y, a + at + 16, b + at + 16);
    }
    _mm256_storeu_si256((__m256i *)lanes, x);
    _mm256_storeu_si256((__m256i *)(lanes + 8), y);
    for (int i = 0; i < 16; i++)
        sum += lanes[i];
    return sum + dot_plain(a + at, b + at, n - at);
}
#endif

static int64_t dot(const int16_t *a, const int8_t *b, unsigned n)
{
#ifdef VECTOR_X86
    if (__builtin_cpu_supports("avx2"))
        return dot_avx2(a, b, n);
#endif
    return dot_plain(a, b, n);
}

double rules_vector_score(const float *a, const float *b, unsigned dimensions)
{
    double product = 0, aa = 0, bb = 0;

    for (unsigned i = 0; i < dimensions; i++) {
        product += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    double cosine = aa > 0 && bb > 0 ? product / sqrt(aa * bb) : 0;
    return cosine > 0 ? (cosine < 1 ? cosine : 1) : 0; /* not a number: 0 */
}

/* 1 over its length; 0: it has none, or one without an end. */
static double vector_unit(const float *v, unsigned n, double *most)
{
    double sum = 0;

    *most = 0;
    for (unsigned i = 0; i < n; i++) {
        double x = fabs((double)v[i]);
        sum += x * x;
        *most = x > *most ? x : *most;
    }
    if (sum > 0 && isfinite(sum))
        return 1 / sqrt(sum);
    *most = 0;
    return 0;
}

/* ---- codes ---- */

size_t vector_code_write(uint8_t out[VECTOR_CODE_MAX], const float *v, unsigned dimensions)
{
    double most, error = 0, unit = vector_unit(v, dimensions, &most), scale = most * unit / 127;
    float head[2];

    for (unsigned i = 0; i < dimensions; i++) {
        double x = unit > 0 ? (double)v[i] * unit : 0;
        double part = scale > 0 ? nearbyint(x / scale) : 0;
        out[CODE_HEAD + i] = (uint8_t)(int8_t)part;
        error += (x - part * scale) * (x - part * scale);
    }
    head[0] = (float)scale;
    head[1] = (float)(sqrt(error) + ROUNDING);
    memcpy(out, head, sizeof(head));
    return CODE_HEAD + dimensions;
}

void vector_question_init(struct vector_question *q, const float *v, unsigned dimensions)
{
    double most, error = 0, unit = vector_unit(v, dimensions, &most);

    *q = (struct vector_question){.dimensions = dimensions, .scale = most * unit / PARTS_MAX};
    for (unsigned i = 0; i < dimensions; i++) {
        double x = unit > 0 ? (double)v[i] * unit : 0;
        double part = q->scale > 0 ? nearbyint(x / q->scale) : 0;
        q->parts[i] = (int16_t)part;
        error += (x - part * q->scale) * (x - part * q->scale);
    }
    q->error = sqrt(error) + ROUNDING;
}

bool vector_code_near(const struct vector_question *q, struct str code, float *near, float *error)
{
    float head[2];

    if (code.n != CODE_HEAD + q->dimensions)
        return false;
    memcpy(head, code.p, sizeof(head));
    if (!isfinite(head[0]) || !(head[1] >= 0) || !isfinite(head[1]))
        return false;
    int64_t product = dot(q->parts, (const int8_t *)code.p + CODE_HEAD, q->dimensions);
    *near = (float)((double)product * q->scale * (double)head[0]);
    *error = (float)((double)head[1] + q->error * (1 + (double)head[1]));
    return isfinite(*near) && isfinite(*error);
}

/* ---- candidates ---- */

void vector_pool_init(struct vector_pool *p, size_t wanted)
{
    *p = (struct vector_pool){.wanted = wanted > 0 ? wanted : 1};
    p->least = mem_alloc(p->wanted * sizeof(*p->least));
    p->best = mem_alloc(p->wanted * sizeof(*p->best));
}

void vector_pool_deinit(struct vector_pool *p)
{
    free(p->rows);
    free(p->least);
    free(p->best);
}

/* The least of a heap is its first; what is less is not taken when it is full. */
#define HEAP_PUT(type, name)                                                                       \
    static void name(type *heap, size_t *count, size_t max, type v)                                \
    {                                                                                              \
        size_t at = 0;                                                                             \
        if (*count < max) {                                                                        \
            for (at = (*count)++; at > 0 && heap[(at - 1) / 2] > v; at = (at - 1) / 2)             \
                heap[at] = heap[(at - 1) / 2];                                                     \
            heap[at] = v;                                                                          \
            return;                                                                                \
        }                                                                                          \
        if (v <= heap[0])                                                                          \
            return;                                                                                \
        for (size_t next; (next = 2 * at + 1) < max; at = next) {                                  \
            if (next + 1 < max && heap[next + 1] < heap[next])                                     \
                next++;                                                                            \
            if (heap[next] >= v)                                                                   \
                break;                                                                             \
            heap[at] = heap[next];                                                                 \
        }                                                                                          \
        heap[at] = v;                                                                              \
    }
HEAP_PUT(float, heap_put_float)
HEAP_PUT(double, heap_put_double)

static bool pool_may_be(const struct vector_pool *p, float near, float error)
{
    return near + error > 0 && (p->least_count < p->wanted || near + error >= p->least[0]);
}

/* Lets go of those that more than enough others have passed since. */
static void pool_tidy(struct vector_pool *p)
{
    size_t kept = 0;

    for (size_t i = 0; i < p->count; i++)
        if (pool_may_be(p, p->rows[i].near, p->rows[i].error))
            p->rows[kept++] = p->rows[i];
    p->count = kept;
}

void vector_pool_add(struct vector_pool *p, int64_t key, float near, float error)
{
    if (!pool_may_be(p, near, error))
        return;
    heap_put_float(p->least, &p->least_count, p->wanted, near - error);
    if (p->count == p->cap) {
        pool_tidy(p);
        if (2 * p->count >= p->cap) {
            p->cap += p->cap + POOL_GROWS;
            p->rows = mem_realloc(p->rows, p->cap * sizeof(*p->rows));
        }
    }
    p->rows[p->count++] = (struct vector_candidate){.key = key, .near = near, .error = error};
}

static int compare_at_most(const void *a, const void *b)
{
    const struct vector_candidate *x = a, *y = b;
    float left = x->near + x->error, right = y->near + y->error;

    if (left > right || left < right)
        return left > right ? -1 : 1;
    return x->key > y->key ? -1 : x->key < y->key;
}

static int compare_score(const void *a, const void *b)
{
    const struct vector_candidate *x = a, *y = b;

    if (x->score > y->score || x->score < y->score)
        return x->score > y->score ? -1 : 1;
    return x->key > y->key ? -1 : x->key < y->key;
}

void vector_pool_sort(struct vector_pool *p)
{
    pool_tidy(p);
    if (p->count > 0)
        qsort(p->rows, p->count, sizeof(*p->rows), compare_at_most);
}

bool vector_pool_is_done(const struct vector_pool *p)
{
    if (p->settled >= p->count || p->settled >= VECTOR_SETTLED_MAX)
        return true;
    const struct vector_candidate *c = &p->rows[p->settled];
    return p->best_count == p->wanted && (double)c->near + (double)c->error < p->best[0];
}

void vector_pool_settle(struct vector_pool *p, double score)
{
    p->rows[p->settled++].score = score;
    heap_put_double(p->best, &p->best_count, p->wanted, score);
}

void vector_pool_finish(struct vector_pool *p)
{
    if (p->settled > 0)
        qsort(p->rows, p->settled, sizeof(*p->rows), compare_score);
    p->count = p->settled < p->wanted ? p->settled : p->wanted;
}
