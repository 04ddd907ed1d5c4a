#include "engine/breaker.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "engine/session.h"

static const char *const words[] = {
    [BREAKER_NONE] = "none",
    [BREAKER_LOOP_DEPTH] = "loop_depth",
    [BREAKER_TOKENS_PER_S] = "tokens_per_s",
    [BREAKER_REPETITION] = "repetition",
    [BREAKER_VARIETY] = "variety",
};

const char *breaker_word(enum breaker b)
{
    return words[b];
}

/* ---- the words of a message ---- */

#define GRAM_WORDS 16
#define GRAM_LETTERED                                                                              \
    8                     /* words with a letter that a gram must have: tables of numbers are none \
                           */
#define SLOTS        1024 /* most frequent grams: a gram that meets another one wears it down */
#define WINDOW_WORDS 200
#define WINDOW_EVERY 20 /* words between two looks at the window */

struct text_watch {
    uint32_t word; /* hash of the one under way */
    bool in_word, has_letter, begins_with_letter;

    uint32_t gram[GRAM_WORDS];
    uint32_t lettered; /* bit set of the last 32 words */
    unsigned word_count, window_count;
    struct {
        uint32_t hash, count;
    } slots[SLOTS];

    uint32_t window[WINDOW_WORDS];
};

struct text_watch *text_watch_create(void)
{
    return mem_zalloc(sizeof(struct text_watch));
}

void text_watch_free(struct text_watch *t)
{
    free(t);
}

static uint32_t hash_add(uint32_t h, uint32_t v)
{
    h = (h ^ v) * 0x9e3779b1u;
    return h ^ h >> 15;
}

/* How often the last sixteen words have come by now; 0: they are none to count. */
static uint32_t gram_count(struct text_watch *t)
{
    uint32_t h = 1;
    unsigned at = t->word_count % GRAM_WORDS;
    if (t->word_count < GRAM_WORDS ||
        __builtin_popcount(t->lettered & ((1u << GRAM_WORDS) - 1)) < GRAM_LETTERED)
        return 0;
    for (unsigned i = 0; i < GRAM_WORDS; i++)
        h = hash_add(h, t->gram[(at + i) % GRAM_WORDS]);
    unsigned slot = h % SLOTS;
    if (t->slots[slot].hash == h) {
        t->slots[slot].count++;
    } else if (t->slots[slot].count > 1) {
        t->slots[slot].count--;
        return 0;
    } else {
        t->slots[slot].hash = h;
        t->slots[slot].count = 1;
    }
    return t->slots[slot].count;
}

/* Is it time to look? While the window is not full it is not. */
static bool window_is_due(const struct text_watch *t)
{
    return t->window_count >= WINDOW_WORDS && t->window_count % WINDOW_EVERY == 0;
}

/* Share of different words in the window. */
static double window_variety(const struct text_watch *t)
{
    uint32_t seen[512] = {0};
    unsigned different = 0;
    for (unsigned i = 0; i < WINDOW_WORDS; i++) {
        unsigned at = t->window[i] % 512;
        while (seen[at] && seen[at] != t->window[i])
            at = (at + 1) % 512;
        different += seen[at] == 0;
        seen[at] = t->window[i];
    }
    return (double)different / WINDOW_WORDS;
}

static enum breaker word_end(struct text_watch *t, const struct breaker_limits *l, double *value)
{
    if (!t->in_word)
        return BREAKER_NONE;
    t->in_word = false;
    t->gram[t->word_count++ % GRAM_WORDS] = t->word;
    t->lettered = t->lettered << 1 | t->has_letter;
    uint32_t count = gram_count(t);
    if (l->repetition > 0 && count > l->repetition) {
        *value = count;
        return BREAKER_REPETITION;
    }
    if (!t->begins_with_letter)
        return BREAKER_NONE;
    t->window[t->window_count++ % WINDOW_WORDS] = t->word ? t->word : 1;
    if (!window_is_due(t))
        return BREAKER_NONE;
    double variety = window_variety(t);
    if (l->variety > 0 && variety < l->variety) {
        *value = variety;
        return BREAKER_VARIETY;
    }
    return BREAKER_NONE;
}

/* ---- characters ---- */

enum letter { LETTER_NONE, LETTER_DIGIT, LETTER_YES, LETTER_ALONE };

static uint32_t code_point(const char *p, size_t len)
{
    const unsigned char *u = (const unsigned char *)p;
    if (len == 2)
        return (u[0] & 0x1fu) << 6 | (u[1] & 0x3fu);
    if (len == 3)
        return (u[0] & 0x0fu) << 12 | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu);
    return (u[0] & 0x07u) << 18 | (u[1] & 0x3fu) << 12 | (u[2] & 0x3fu) << 6 | (u[3] & 0x3fu);
}

static enum letter letter_of(uint32_t c)
{
    static const struct {
        uint32_t from, to;
        enum letter is;
    } ranges[] = {
        {0x80, 0xbf, LETTER_NONE},      /* Latin-1 signs */
        {0xe00, 0xeff, LETTER_ALONE},   /* Thai, Lao */
        {0x1000, 0x109f, LETTER_ALONE}, /* Burmese */
        {0x1780, 0x17ff, LETTER_ALONE}, /* Khmer */
        {0x2000, 0x2bff, LETTER_NONE},  /* punctuation, arrows, boxes, signs */
        {0x2e00, 0x2e7f, LETTER_NONE},  /* more punctuation */
        {0x3000, 0x303f, LETTER_NONE},  /* CJK punctuation */
        {0x2e80, 0x9fff, LETTER_ALONE}, /* CJK, kana */
        {0xac00, 0xd7a3, LETTER_YES},   /* Korean has spaces */
        {0xf900, 0xfaff, LETTER_ALONE}, /* CJK */
        {0xfe00, 0xfe6f, LETTER_NONE},  /* variation selectors, small forms */
        {0xff00, 0xff65, LETTER_NONE},  /* full-width forms */
        {0xfff0, 0xffff, LETTER_NONE},    {0x1f000, 0x1faff, LETTER_NONE}, /* emoji */
        {0x20000, 0x3ffff, LETTER_ALONE},                                  /* CJK */
    };
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (c >= ranges[i].from && c <= ranges[i].to)
            return ranges[i].is;
    return LETTER_YES;
}

static enum letter ascii_letter(char *c)
{
    if (*c >= 'A' && *c <= 'Z')
        *c = (char)(*c + 'a' - 'A');
    if ((*c >= 'a' && *c <= 'z') || *c == '_')
        return LETTER_YES;
    return *c >= '0' && *c <= '9' ? LETTER_DIGIT : LETTER_NONE;
}

static void word_add(struct text_watch *t, enum letter kind, uint32_t c)
{
    if (!t->in_word) {
        t->in_word = true;
        t->word = 1;
        t->begins_with_letter = kind != LETTER_DIGIT;
        t->has_letter = false;
    }
    t->has_letter = t->has_letter || kind != LETTER_DIGIT;
    t->word = hash_add(t->word, c);
}

static enum breaker watch_char(struct text_watch *t, enum letter kind, uint32_t c,
                               const struct breaker_limits *l, double *value)
{
    enum breaker b = BREAKER_NONE;
    if (kind == LETTER_NONE || kind == LETTER_ALONE)
        b = word_end(t, l, value);
    if (kind != LETTER_NONE)
        word_add(t, kind, c);
    if (kind == LETTER_ALONE && b == BREAKER_NONE)
        b = word_end(t, l, value);
    return b;
}

void text_watch_fetch(const struct text_watch *t)
{
    mem_fetch(t, offsetof(struct text_watch, slots));
}

enum breaker text_watch_feed(struct text_watch *t, struct str text,
                             const struct breaker_limits *limits, double *value)
{
    enum breaker b = BREAKER_NONE;
    for (size_t i = 0; i < text.n && b == BREAKER_NONE;) {
        char c = text.p[i];
        size_t len = (unsigned char)c < 0x80 ? 1 : utf8_char_len(text.p + i, text.n - i);
        if (len > 1) {
            uint32_t cp = code_point(text.p + i, len);
            b = watch_char(t, letter_of(cp), cp, limits, value);
        } else {
            enum letter kind = len ? ascii_letter(&c) : LETTER_NONE;
            if (c == '-' && t->in_word) /* user-1, user-2: each a word of its own */
                kind = LETTER_YES;
            b = watch_char(t, kind, (unsigned char)c, limits, value);
        }
        i += len ? len : 1;
    }
    return b;
}

/* ---- limits ---- */

static double limit_of(double of_workflow, double of_server)
{
    double v = of_workflow >= 0 ? of_workflow : of_server;
    return v > 0 ? v : 0;
}

static struct breaker_limits limits_of(const struct session *s)
{
    const struct breaker_limits *w = &s->wf->breakers;
    struct breaker_limits d = s->in && s->in->rules ? s->in->rules->breakers : BREAKERS_DEFAULT;
    return (struct breaker_limits){.loop_depth = limit_of(w->loop_depth, d.loop_depth),
                                   .tokens_per_s = limit_of(w->tokens_per_s, d.tokens_per_s),
                                   .repetition = limit_of(w->repetition, d.repetition),
                                   .variety = limit_of(w->variety, d.variety)};
}

static void trip(struct session *s, unsigned n, enum breaker b, double value, double limit)
{
    struct jw *w = event_begin(s, "breaker_tripped", (int)n);
    jw_kv_stringz(w, "detector", words[b]);
    jw_kv_double(w, "value", value);
    jw_kv_double(w, "limit", limit);
    event_end(s);
    s->breaker.tripped = b;
    s->breaker.node = s->at == &s->root ? (int)n : -1;
    s->halt = HALT_BREAKER;
}

bool breaker_stops_start(struct session *s, unsigned n)
{
    struct breaker_limits l = limits_of(s);
    const struct node_state *ns = &s->at->nodes[n];
    double limit = l.loop_depth * (double)(1 + s->breaker.loop_grants);
    if (s->halt != HALT_NONE || l.loop_depth <= 0 || ns->retry || s->at != &s->root ||
        (double)ns->iteration < limit)
        return false;
    trip(s, n, BREAKER_LOOP_DEPTH, (double)(ns->iteration + 1), l.loop_depth);
    return true;
}

/* ---- chunks ---- */

static void window_move(struct breaker_state *b, int64_t second)
{
    if (second - b->newest_s >= BREAKER_WINDOW_S || second < b->newest_s) {
        memset(b->bytes, 0, sizeof(b->bytes));
        b->newest_s = second;
    }
    while (b->newest_s < second)
        b->bytes[++b->newest_s % BREAKER_WINDOW_S] = 0;
}

/* Tokens a second, with this chunk. */
static double velocity(struct session *s, size_t bytes)
{
    struct breaker_state *b = &s->breaker;
    uint64_t sum = 0;
    window_move(b, s->now / 1000);
    b->bytes[b->newest_s % BREAKER_WINDOW_S] += (uint32_t)bytes;
    for (unsigned i = 0; i < BREAKER_WINDOW_S; i++)
        sum += b->bytes[i];
    return (double)sum / 4 / BREAKER_WINDOW_S;
}

/* After the session was out of memory: what had come before `text`, as far as the message has it.
 */
static struct text_watch *watch_again(const struct work *w, struct str text,
                                      const struct breaker_limits *l)
{
    struct text_watch *t = text_watch_create();
    struct str all = buf_str(&w->text);
    double value;
    bool is_in = all.n >= text.n && memcmp(all.p + all.n - text.n, text.p, text.n) == 0;
    size_t end = is_in ? all.n - text.n : all.n; /* thinking is no part of the message */
    if (end > w->watch_from)
        text_watch_feed(t, (struct str){all.p + w->watch_from, end - w->watch_from}, l, &value);
    return t;
}

void breaker_chunk(struct session *s, struct work *w, struct str text)
{
    struct breaker_limits l = limits_of(s);
    double value = 0;
    if (s->halt != HALT_NONE)
        return;
    if (l.tokens_per_s > 0 && !s->breaker.replaying) {
        value = velocity(s, text.n);
        if (value > l.tokens_per_s) {
            trip(s, w->node, BREAKER_TOKENS_PER_S, value, l.tokens_per_s);
            return;
        }
    }
    if (l.repetition <= 0 && l.variety <= 0)
        return;
    if (!w->watch)
        w->watch = watch_again(w, text, &l);
    enum breaker b = text_watch_feed(w->watch, text, &l, &value);
    if (b != BREAKER_NONE)
        trip(s, w->node, b, value, b == BREAKER_REPETITION ? l.repetition : l.variety);
}

/* ---- resume ---- */

static bool says_something(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] > ' ')
            return true;
    return false;
}

int breaker_check_resume(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    if (s->breaker.tripped == BREAKER_NONE || says_something(in->justification))
        return 0;
    s->refusal = "breaker_tripped";
    return err_set(e, ERR_CONFLICT,
                   "The breaker %s has tripped: resume the session with a justification.",
                   words[s->breaker.tripped]);
}

void breaker_unlock(struct session *s, const struct engine_input *in)
{
    struct breaker_state *b = &s->breaker;
    enum breaker was = b->tripped;
    if (was == BREAKER_NONE)
        return;
    if (was == BREAKER_LOOP_DEPTH)
        b->loop_grants++;
    struct buf text;
    buf_init(&text, 64u << 10);
    buf_printf(&text, "The breaker %s was unlocked: ", words[was]);
    buf_append_str(&text, in->justification);
    event_log(s, b->node, "warn", buf_str(&text));
    buf_deinit(&text);
    *b = (struct breaker_state){.loop_grants = b->loop_grants, .node = -1};
    table_foreach(slot, &s->runs)
    {
        struct work *w = slot->value;
        text_watch_free(w->watch);
        w->watch = NULL;
        w->watch_from = w->text.len;
    }
    s->core_dirty = true;
}

/* ---- storage ---- */

void breaker_write(const struct session *s, struct jw *w)
{
    const struct breaker_state *b = &s->breaker;
    if (b->loop_grants)
        jw_kv_i64(w, "loop_grants", b->loop_grants);
    if (b->tripped == BREAKER_NONE)
        return;
    jw_kv_stringz(w, "tripped", words[b->tripped]);
    if (b->node >= 0)
        jw_kv_i64(w, "tripped_node", b->node);
}

bool breaker_restore(struct session *s, struct json state)
{
    struct breaker_state *b = &s->breaker;
    struct json v = json_get_set(state, "tripped");
    int64_t node = -1;
    b->node = -1;
    json_i64(json_get_set(state, "loop_grants"), &b->loop_grants);
    if (b->loop_grants < 0 || b->loop_grants > 1000000)
        return false;
    if (!json_exists(v))
        return true;
    for (unsigned i = BREAKER_LOOP_DEPTH; i <= BREAKER_VARIETY; i++)
        if (json_string_eq(v, words[i]))
            b->tripped = (enum breaker)i;
    json_i64(json_get_set(state, "tripped_node"), &node);
    if (node >= 0 && node < s->root.wf->node_count)
        b->node = (int)node;
    return b->tripped != BREAKER_NONE;
}
