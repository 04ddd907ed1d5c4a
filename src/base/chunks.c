#include "base/chunks.h"

#include <string.h>

#include "base/utf8.h"

/* What a text may be cut at, the better the higher. */
enum cut {
    CUT_NONE,
    CUT_WORD,
    CUT_CLAUSE,
    CUT_SENTENCE,
    CUT_LINE,
    CUT_PARAGRAPH,
    CUT_HEADING,
};

static size_t char_bytes(struct str t, size_t at)
{
    size_t n = utf8_char_len(t.p + at, t.n - at);
    return n ? n : 1;
}

static bool is_space(struct str t, size_t at)
{
    char c = t.p[at];
    return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static bool begins_with(struct str t, size_t at, const char *z)
{
    size_t n = strlen(z);
    return t.n - at >= n && memcmp(t.p + at, z, n) == 0;
}

static bool is_one_of(struct str t, size_t at, size_t bytes, const char *const *set)
{
    for (; *set; set++)
        if (strlen(*set) == bytes && memcmp(t.p + at, *set, bytes) == 0)
            return true;
    return false;
}

/* ---- what stands at a place ---- */

static bool is_line_start(struct str t, size_t at)
{
    return at == 0 || t.p[at - 1] == '\n';
}

static bool is_fence(struct str t, size_t at)
{
    return is_line_start(t, at) && (begins_with(t, at, "```") || begins_with(t, at, "~~~"));
}

static bool is_heading(struct str t, size_t at)
{
    size_t i = at;
    if (!is_line_start(t, at))
        return false;
    while (i < t.n && t.p[i] == '#' && i - at < 6)
        i++;
    return i > at && i < t.n && t.p[i] == ' ';
}

/* The line before this line's start has nothing in it. */
static bool is_paragraph_start(struct str t, size_t at)
{
    size_t i = at - 1;
    while (i > 0 && (t.p[i - 1] == ' ' || t.p[i - 1] == '\t' || t.p[i - 1] == '\r'))
        i--;
    return i == 0 || t.p[i - 1] == '\n';
}

static const char *const sentence_ends[] = {"。", "！", "？", "；", "…", "｡", NULL};
static const char *const clause_ends[] = {"，", "、", "：", NULL};
static const char *const closers[] = {"\"", "'", ")", "]", "”", "’", "）", "」", "』", "》", NULL};

/* What ends with the character that is before `at` and begins at `last`. */
static enum cut cut_after(struct str t, size_t last, size_t at)
{
    size_t n = at - last;
    if (is_one_of(t, last, n, sentence_ends))
        return CUT_SENTENCE;
    if (is_one_of(t, last, n, clause_ends))
        return CUT_CLAUSE;
    if (n != 1 || at == t.n || !is_space(t, at))
        return CUT_NONE;
    if (strchr(".!?", t.p[last]))
        return CUT_SENTENCE;
    return strchr(",;:", t.p[last]) ? CUT_CLAUSE : CUT_NONE;
}

/* Walks characters and knows what the text may be cut at before each. */
struct walk {
    struct str t;
    size_t at;
    size_t last;    /* the character before `at` */
    enum cut ended; /* what the one before that ended */
    bool is_fenced;
};

static enum cut walk_cut(struct walk *w)
{
    struct str t = w->t;
    enum cut here = cut_after(t, w->last, w->at), ended = w->ended;
    w->ended = here;
    if (is_line_start(t, w->at)) {
        if (is_heading(t, w->at) && !w->is_fenced)
            return CUT_HEADING;
        return is_paragraph_start(t, w->at) ? CUT_PARAGRAPH : CUT_LINE;
    }
    if (is_one_of(t, w->last, w->at - w->last, closers)) {
        w->ended = ended; /* the quotation mark belongs to its sentence */
        here = ended;
    } else if (here && w->at < t.n && is_one_of(t, w->at, char_bytes(t, w->at), closers)) {
        return CUT_NONE;
    }
    if (here)
        return here;
    return w->at == t.n || is_space(t, w->last) ? CUT_WORD : CUT_NONE;
}

static void walk_step(struct walk *w)
{
    if (is_fence(w->t, w->at))
        w->is_fenced = !w->is_fenced;
    w->last = w->at;
    w->at += char_bytes(w->t, w->at);
}

/* ---- pieces ---- */

void chunks_init(struct chunks *c, struct str text)
{
    *c = (struct chunks){.text = text};
}

/* To `at`, which is a place the walk comes by. */
static void chunks_move(struct chunks *c, size_t at)
{
    struct walk w = {.t = c->text, .at = c->at, .is_fenced = c->is_fenced};
    while (w.at < at)
        walk_step(&w);
    c->at = at;
    c->is_fenced = w.is_fenced;
}

static void chunks_skip_space(struct chunks *c)
{
    size_t at = c->at;
    while (at < c->text.n && is_space(c->text, at))
        at++;
    chunks_move(c, at);
}

/* Whether what is left makes one piece; else where the best cut is. */
static bool chunks_cut(const struct chunks *c, size_t *end, enum cut *kind)
{
    struct walk w = {.t = c->text, .at = c->at, .last = c->at, .is_fenced = c->is_fenced};
    size_t chars = 0;
    *end = c->at;
    *kind = CUT_NONE;
    while (w.at < w.t.n && chars < CHUNK_CHARS_MAX) {
        walk_step(&w);
        chars++;
        enum cut here = w.at < w.t.n ? walk_cut(&w) : CUT_NONE;
        if (chars >= CHUNK_CHARS_LEAST && chars <= CHUNK_CHARS && here >= *kind) {
            *kind = here;
            *end = w.at;
        }
    }
    return w.at == w.t.n;
}

static size_t chunks_chars(const struct chunks *c, size_t end)
{
    size_t chars = 0;
    for (size_t at = c->at; at < end; at += char_bytes(c->text, at))
        chars++;
    return chars;
}

/* Where the next piece begins: of the last characters before the cut, at the first sentence that
 * begins there, or else the first word. */
static size_t chunks_overlap(const struct chunks *c, size_t end)
{
    size_t skip = chunks_chars(c, end) - CHUNK_CHARS_OVERLAP, from = c->at;
    enum cut best = CUT_NONE;
    while (skip-- > 0)
        from += char_bytes(c->text, from);
    struct walk w = {.t = c->text, .at = from, .last = from};
    while (w.at < end) {
        walk_step(&w);
        enum cut here = w.at < end ? walk_cut(&w) : CUT_NONE;
        if (here > CUT_SENTENCE)
            here = CUT_SENTENCE;
        if (here > best) {
            best = here;
            from = w.at;
        }
    }
    return from;
}

static struct str trimmed(struct str t, size_t from, size_t to)
{
    while (to > from && is_space(t, to - 1))
        to--;
    return (struct str){t.p + from, to - from};
}

bool chunks_next(struct chunks *c, struct str *out)
{
    enum cut kind;
    size_t end;
    chunks_skip_space(c);
    if (c->at == c->text.n)
        return false;
    if (chunks_cut(c, &end, &kind)) {
        *out = trimmed(c->text, c->at, c->text.n);
        c->at = c->text.n;
        return true;
    }
    *out = trimmed(c->text, c->at, end);
    chunks_move(c, kind == CUT_HEADING ? end : chunks_overlap(c, end));
    return true;
}
