/* The nearest of many vectors, exactly, without reading all of them: each has a code of one byte a
 * dimension, with how far it is from what it stands for. All codes are looked at; what they leave
 * open is settled by the vectors themselves.
 *
 *     vector_question_init(&q, embedding, dimensions);
 *     vector_pool_init(&pool, wanted);
 *     for each code: vector_code_near(&q, code, &near, &error) and vector_pool_add(&pool, …)
 *     vector_pool_sort(&pool);
 *     for each candidate, until vector_pool_is_done(): read its vector, vector_pool_settle()
 */
#ifndef SLUICE_STORE_RULES_VECTOR_H
#define SLUICE_STORE_RULES_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/store.h"

/* The cosine between two vectors, 0 to 1 (what points away from each other is 0). */
double rules_vector_score(const float *a, const float *b, unsigned dimensions);

#define VECTOR_CODE_MAX (2 * sizeof(float) + MEMORY_DIMENSIONS_MAX)
/* scale, error, a signed byte for each dimension; gives the bytes. */
size_t vector_code_write(uint8_t out[VECTOR_CODE_MAX], const float *v, unsigned dimensions);

struct vector_question {
    unsigned dimensions;
    double scale, error;
    int16_t parts[MEMORY_DIMENSIONS_MAX];
};
void vector_question_init(struct vector_question *q, const float *v, unsigned dimensions);
/* The cosine is *near, or up to *error away from it. False: this is no code of such a vector. */
bool vector_code_near(const struct vector_question *q, struct str code, float *near, float *error);

struct vector_candidate {
    int64_t key;
    float near, error;
    double score; /* when it is settled */
};
#define VECTOR_SETTLED_MAX 4096 /* candidates whose vectors are read, at most */
struct vector_pool {
    size_t wanted, count, cap, settled;
    struct vector_candidate *rows;
    float *least; /* a heap: the `wanted` highest of what candidates have at least */
    size_t least_count;
    double *best; /* the same, of what is settled */
    size_t best_count;
};
void vector_pool_init(struct vector_pool *p, size_t wanted);
void vector_pool_deinit(struct vector_pool *p);
void vector_pool_add(struct vector_pool *p, int64_t key, float near, float error);
void vector_pool_sort(struct vector_pool *p); /* what may be the nearest comes first */
/* rows[settled], and all after it, cannot be among the wanted. */
bool vector_pool_is_done(const struct vector_pool *p);
/* Of rows[settled]. */
void vector_pool_settle(struct vector_pool *p, double score);
/* Leaves the best `wanted` in rows, count of them, best first. */
void vector_pool_finish(struct vector_pool *p);

#endif
