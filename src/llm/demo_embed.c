#include "llm/vector.h"

#include <string.h>

#include "base/utf8.h"

/* Every feature (a word, a part of one, a Chinese character, two in a row) has a place and a sign
 * by its hash, and adds its weight there. Signs let features of unrelated texts that meet in one
 * place cancel out. */

#define WEIGHT_WORD      1.0f
#define WEIGHT_LITTLE    0.2f /* a word of up to three letters: "the", "of" */
#define WEIGHT_PART      0.35f
#define WEIGHT_CHARACTER 0.5f
#define WEIGHT_PAIR      1.0f
#define LITTLE_BYTES     3
#define PART_BYTES       3
#define WORD_BYTES_MAX   64 /* of a longer one its beginning counts */

struct embedding {
    float *out;
    unsigned dimensions;
    size_t words;
    char word[WORD_BYTES_MAX + 2]; /* lower case, with a space before it */
    size_t word_bytes;             /* 0: in no word */
    struct str ideograph;          /* the last character, if it was one */
};

static uint64_t feature_hash(char kind, const char *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u ^ (unsigned char)kind; /* FNV-1a, then mixed */
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)p[i]) * 0x100000001b3u;
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 33;
}

static void embedding_add(struct embedding *g, char kind, const char *p, size_t n, float weight)
{
    uint64_t h = feature_hash(kind, p, n);
    g->out[(h >> 1) % g->dimensions] += h & 1 ? weight : -weight;
}

static void embedding_end_word(struct embedding *g)
{
    size_t n = g->word_bytes;
    if (n == 0)
        return;
    g->words++;
    g->word_bytes = 0;
    embedding_add(g, 'w', g->word + 1, n, n <= LITTLE_BYTES ? WEIGHT_LITTLE : WEIGHT_WORD);
    if (n <= LITTLE_BYTES)
        return;
    g->word[n + 1] = ' '; /* so that beginnings and ends are parts of their own */
    for (size_t i = 0; i + PART_BYTES <= n + 2; i++)
        embedding_add(g, 'p', g->word + i, PART_BYTES, WEIGHT_PART);
}

/* Characters of languages that put no spaces between their words: Chinese, Japanese. */
static bool is_ideograph(const char *p, size_t n)
{
    const unsigned char *u = (const unsigned char *)p;
    if (n == 4)
        return u[0] == 0xF0 && u[1] >= 0xA0; /* U+20000 and up */
    /* U+3040 to U+9FFF */
    return n == 3 && (u[0] > 0xE3 || (u[0] == 0xE3 && u[1] >= 0x81)) && u[0] <= 0xE9;
}

/* Punctuation and spaces of three bytes: U+2000 to U+206F, U+3000 to U+303F, U+FF00 to U+FF0F and
 * some more of the wide forms. */
static bool is_separator(const char *p, size_t n)
{
    const unsigned char *u = (const unsigned char *)p;
    if (n == 1)
        return !((*u >= '0' && *u <= '9') || ((*u | 0x20) >= 'a' && (*u | 0x20) <= 'z'));
    return (n == 2 && u[0] == 0xC2) || (n == 3 && u[0] == 0xE2 && u[1] <= 0x81) ||
           (n == 3 && u[0] == 0xE3 && u[1] == 0x80) ||
           (n == 3 && u[0] == 0xEF && u[1] >= 0xBC && u[1] <= 0xBD);
}

static void embedding_character(struct embedding *g, const char *p, size_t n)
{
    if (is_separator(p, n)) {
        embedding_end_word(g);
        g->ideograph = STR_NULL;
    } else if (is_ideograph(p, n)) {
        embedding_end_word(g);
        g->words++;
        embedding_add(g, 'c', p, n, WEIGHT_CHARACTER);
        if (g->ideograph.n)
            embedding_add(g, 'b', g->ideograph.p, g->ideograph.n + n, WEIGHT_PAIR);
        g->ideograph = (struct str){p, n};
    } else {
        g->ideograph = STR_NULL;
        if (g->word_bytes + n > WORD_BYTES_MAX)
            return;
        char *to = g->word + 1 + g->word_bytes;
        memcpy(to, p, n);
        if (n == 1 && *to >= 'A' && *to <= 'Z')
            *to = (char)(*to | 0x20);
        g->word_bytes += n;
    }
}

size_t demo_embed(struct str text, float *out, unsigned dimensions)
{
    struct embedding g = {.out = out, .dimensions = dimensions, .word = " "};
    memset(out, 0, dimensions * sizeof(*out));
    for (size_t at = 0; at < text.n;) {
        size_t n = utf8_char_len(text.p + at, text.n - at);
        if (n)
            embedding_character(&g, text.p + at, n);
        at += n ? n : 1;
    }
    embedding_end_word(&g);
    if (!vector_normalise(out, dimensions)) { /* no word at all, or they cancel out */
        embedding_add(&g, 't', text.p, text.n, 1);
        vector_normalise(out, dimensions);
    }
    return g.words;
}
