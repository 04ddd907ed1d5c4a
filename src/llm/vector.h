/* Vectors of texts, as pure functions: the wire of POST /embeddings, and the demo provider's own.
 * No I/O. Every vector that comes out has length 1. */
#ifndef SLUICE_LLM_VECTOR_H
#define SLUICE_LLM_VECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Makes it length 1. False, and nothing is changed: it has no direction (all zero, or a value that
 * is no number). */
bool vector_normalise(float *v, size_t dimensions);

/* ---- openai_embed.c: the wire ---- */

/* Appends the body of POST /embeddings. model NULL: the server chooses; dimensions 0: the model's.
 * ERR_TOO_LARGE, ERR_NOMEM: out. */
int openai_embed_encode(const struct str *texts, size_t count, const char *model,
                        unsigned dimensions, struct buf *out, struct errbuf *e);

struct openai_vectors {
    /* In */
    size_t count;        /* texts that were sent */
    unsigned dimensions; /* that each must have; 0: what the first has, and then this says it */
    /* Out */
    float *values;   /* count * dimensions in the order of the texts; free() it */
    char model[128]; /* as the server reported, or "" */
    int64_t tokens;  /* -1: it did not say */
};

/* Reads an answer: floats, or base64 of little-endian floats; in any order, by `index`.
 * ERR_UPSTREAM: the server reported an error, e is its sentence. ERR_INVALID: not the protocol, a
 * vector is missing, too short, too long or without a direction. Nothing is left to free then. */
int openai_embed_decode(struct str body, struct openai_vectors *v, struct errbuf *e);

/* ---- demo_embed.c: words and parts of words, hashed ---- */

#define DEMO_DIMENSIONS 384

/* The same text gives the same vector everywhere; texts that share words, or parts of words, are
 * near (Chinese by characters and pairs of them). No meaning is known: synonyms are far. Returns
 * how many words were read. */
size_t demo_embed(struct str text, float *out, unsigned dimensions);

#endif
