#include "store/rules_words.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

/* ---- characters ---- */

static uint32_t words_decode(const char *p, size_t n)
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

/* Lower case of Latin, Greek and Cyrillic letters; wide ones become narrow. */
static uint32_t words_fold(uint32_t c)
{
    if (c >= 0xff01 && c <= 0xff5e)
        c -= 0xfee0;
    if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) ||
        (c >= 0x391 && c <= 0x3a9 && c != 0x3a2) || (c >= 0x410 && c <= 0x42f))
        return c + 32;
    if (c >= 0x400 && c <= 0x40f)
        return c + 80;
    if ((c >= 0x100 && c <= 0x137) || (c >= 0x14a && c <= 0x177) || (c >= 0x460 && c <= 0x481) ||
        (c >= 0x48a && c <= 0x4bf) || (c >= 0x4d0 && c <= 0x52f))
        return c | 1;
    return c;
}

/* Scripts that are written without spaces; Korean has them, with much that hangs on a word. */
static bool words_is_dense(uint32_t c)
{
    return (c >= 0x0e01 && c <= 0x0eff) || (c >= 0x1000 && c <= 0x109f) ||
           (c >= 0x1780 && c <= 0x17ff) || (c >= 0x3041 && c <= 0x30ff) ||
           (c >= 0x3400 && c <= 0x9fff) || (c >= 0xac00 && c <= 0xd7af) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x20000 && c <= 0x3ffff);
}

static bool words_is_letter(uint32_t c)
{
    if (c < 0x80)
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return c >= 0xc0 && c != 0xd7 && c != 0xf7 && !(c >= 0x2000 && c <= 0x2bff) &&
           !(c >= 0x3000 && c <= 0x303f) && !(c >= 0xd800 && c <= 0xf8ff) &&
           !(c >= 0xfe00 && c <= 0xfe0f) && !(c >= 0xfeff && c <= 0xff0f) &&
           !(c >= 0xfff0 && c <= 0xffff) && c < 0xe0000;
}

/* ---- words ---- */

void words_init(struct words *w, struct str text, enum words_of of)
{
    if (text.n > WORDS_TEXT_MAX)
        text.n = WORDS_TEXT_MAX;
    *w = (struct words){.text = text, .of = of};
}

/* The next character, folded, and its bytes. */
static uint32_t words_char(const struct words *w, size_t *bytes)
{
    size_t n = utf8_char_len(w->text.p + w->at, w->text.n - w->at);

    *bytes = n ? n : 1;
    return words_fold(words_decode(w->text.p + w->at, n));
}

static void words_put(struct words *w, uint32_t c)
{
    char bytes[4];
    size_t n = utf8_encode(c, bytes);

    if (w->word.n + n > sizeof(w->chars))
        return;
    memcpy(w->chars + w->word.n, bytes, n);
    w->word.n += n;
}

static bool words_give(struct words *w)
{
    w->hash = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < w->word.n; i++)
        w->hash = (w->hash ^ (uint8_t)w->chars[i]) * 1099511628211u;
    return true;
}

/* The rest of a word that begins here. */
static bool words_run(struct words *w)
{
    while (w->at < w->text.n) {
        size_t bytes;
        uint32_t c = words_char(w, &bytes);
        if (!words_is_letter(c) || words_is_dense(c))
            break;
        words_put(w, c);
        w->at += bytes;
    }
    return words_give(w);
}

/* A character of a dense script, with the one before it; then perhaps by itself. */
static bool words_dense(struct words *w, uint32_t c)
{
    uint32_t before = w->before;
    size_t bytes;

    w->before = c;
    w->single = before && w->of == WORDS_OF_TEXT;
    if (!before && w->of == WORDS_OF_QUESTION && w->at < w->text.n &&
        words_is_dense(words_char(w, &bytes)))
        return false; /* the pair will be a word */
    if (before)
        words_put(w, before);
    words_put(w, c);
    return words_give(w);
}

bool words_next(struct words *w)
{
    w->word = (struct str){w->chars, 0};
    if (w->single) {
        w->single = false;
        words_put(w, w->before);
        return words_give(w);
    }
    while (w->at < w->text.n) {
        size_t bytes;
        uint32_t c = words_char(w, &bytes);
        if (words_is_dense(c)) {
            w->at += bytes;
            if (words_dense(w, c))
                return true;
            continue;
        }
        w->before = 0;
        if (words_is_letter(c))
            return words_run(w);
        w->at += bytes;
    }
    return false;
}

void words_write(struct buf *out, struct str text)
{
    size_t size = 64, mask;
    struct words w;

    words_init(&w, text, WORDS_OF_TEXT);
    while (size < 2 * w.text.n) /* a text has fewer words than bytes */
        size *= 2;
    mask = size - 1;
    uint64_t *seen = mem_zalloc(size * sizeof(*seen));
    while (words_next(&w)) {
        uint64_t hash = w.hash | 1;
        size_t at = hash >> 1 & mask;
        while (seen[at] && seen[at] != hash)
            at = (at + 1) & mask;
        if (seen[at])
            continue;
        seen[at] = hash;
        if (out->len > 0)
            buf_append_char(out, ' ');
        buf_append_str(out, w.word);
    }
    free(seen);
}
