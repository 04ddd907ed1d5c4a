#include "llm/demo_text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "llm/demo_json.h"
#include "llm/demo_workflow.h"

#define PROMPT_BYTES_MAX (64u << 20) /* of what was checked before */
#define TOPIC_BYTES_MAX  96
#define KEYWORDS         3
#define RESULT_BYTES     200 /* of a tool's result, in an answer */
#define LOOK_BYTES       400 /* of a persona: how it begins says which side it takes */

enum demo_stance { STANCE_NEUTRAL, STANCE_PRO, STANCE_CON, STANCE_JUDGE };

/* Sentences; {t} is the topic, {w} a word of the topic or the prompt, {n} a score from 5 to 9. */
struct demo_bank {
    const char *const *openings, *const *points, *const *turns, *const *closings;
};

static const char *const pro_openings[] = {
    "I speak for “{t}”, and I do so with conviction.",
    "Let me make the case for “{t}”.",
    "There are good reasons to say yes to “{t}”, and I will give the strongest.",
    "On “{t}” my answer is a clear yes.",
    NULL,
};
static const char *const pro_points[] = {
    "First, {w} is where the gain is largest, and it arrives early rather than late.",
    "Those who tried it report fewer surprises, not more, as soon as {w} is settled.",
    "The cost is known in advance, while the cost of doing nothing grows every month.",
    "It can be taken in small steps, each of which may be undone if it disappoints.",
    "People adapt faster than planners expect once they see {w} at work.",
    "What we learn on the way is worth as much as the result itself.",
    "It frees attention for the questions that only people can answer.",
    "Even a modest success with {w} would pay for the whole attempt.",
    NULL,
};
static const char *const pro_turns[] = {
    "The other side will point at the risks; they are real, but they can be measured.",
    "Yes, there are objections, yet none of them tells us what we should do instead.",
    "A sceptic may ask for proof first, but proof comes from trying.",
    NULL,
};
static const char *const pro_closings[] = {
    "So let us begin, look at the results together, and decide the next step with our eyes open.",
    "For these reasons I ask you to support it.",
    "The careful choice here is to go forward.",
    NULL,
};

static const char *const con_openings[] = {
    "I speak against “{t}”, and I ask for patience rather than enthusiasm.",
    "Before we say yes to “{t}”, let us count what it would cost.",
    "On “{t}” I remain unconvinced, for reasons that I want to lay out plainly.",
    "The case against “{t}” is quieter, but it is the stronger one.",
    NULL,
};
static const char *const con_points[] = {
    "The promise rests on {w}, and that is exactly the part nobody has measured.",
    "The costs fall on people who were not asked, and they come before any gain.",
    "Once it is in place it will be hard to undo, whatever we are told today.",
    "We have seen {w} praised before, and the second year never looked like the first.",
    "It makes the simple cases simpler and leaves the hard ones harder.",
    "Every hour that goes into {w} is missing somewhere we already know to be useful.",
    "The evidence that is quoted comes from places that differ from ours in what matters.",
    "A smaller change would give most of the benefit at a fraction of the risk.",
    NULL,
};
static const char *const con_turns[] = {
    "I grant that the idea has charm, and that some of its friends have thought about it for long.",
    "It is true that standing still has a price; but haste has one, too.",
    "Perhaps in a few years the picture will differ, and then we may talk again.",
    NULL,
};
static const char *const con_closings[] = {
    "Until those questions have answers, the right decision is to wait.",
    "So I ask you to decline, and to spend the effort where it is certain to help.",
    "My advice is no, with an open door for better evidence.",
    NULL,
};

static const char *const judge_openings[] = {
    "I have heard both sides on “{t}”, and I thank them for staying with the matter.",
    "The question was “{t}”, and both speakers took it seriously.",
    "Weighing what was said about “{t}”, I find more agreement than the tone suggested.",
    NULL,
};
static const char *const judge_points[] = {
    "The case in favour was strongest where it named {w} and showed a way to begin small.",
    "The case against was strongest where it asked who carries the cost.",
    "Neither side gave figures for {w}, and a decision should not hide that.",
    "Both agree that a step which can be undone is better than one which cannot.",
    "I was less convinced by the claim that waiting is free.",
    "I was less convinced by the hope that people will adapt on their own.",
    NULL,
};
static const char *const judge_turns[] = {
    "In favour I give {n} of 10, against I give {n} of 10.",
    "My score for the proposal as it stands is {n} of 10.",
    NULL,
};
static const char *const judge_closings[] = {
    "My verdict: a trial with a fixed end and a measure agreed on beforehand.",
    "My verdict: yes, with the condition that the sceptics choose what is measured.",
    "My verdict: not yet; bring back the missing figures and I will hear it again.",
    NULL,
};

static const char *const neutral_openings[] = {
    "You asked about “{t}”; here is how I would look at it.",
    "A few thoughts on “{t}”, in no strict order.",
    "Let us take “{t}” apart and see what it is made of.",
    "To answer “{t}” well, it helps to separate what is known from what is hoped.",
    NULL,
};
static const char *const neutral_points[] = {
    "Begin with {w}, since most of the other parts depend on it.",
    "Ask who is affected first, and what they would call a success.",
    "Write down what you expect before you look, so that the result can surprise you.",
    "It helps to try the smallest version of {w} that could possibly teach something.",
    "What looks like one task is often two: what to do, and when.",
    "Keep what already works, and change one thing at a time.",
    "A short list, read aloud to somebody else, finds most of the gaps.",
    "Where the facts are thin, say so, and note what would settle the matter.",
    NULL,
};
static const char *const neutral_turns[] = {
    "There is no single right answer here, but some answers age better than others.",
    "Of course the details matter, and they are yours to judge.",
    "If time is short, do the first of these and leave the rest for another day.",
    NULL,
};
static const char *const neutral_closings[] = {
    "That would be my outline; each part can be made longer on request.",
    "With these in hand, the next step should be easy to see.",
    "I hope that gives you something to start from.",
    NULL,
};

static const struct demo_bank banks[] = {
    [STANCE_NEUTRAL] = {neutral_openings, neutral_points, neutral_turns, neutral_closings},
    [STANCE_PRO] = {pro_openings, pro_points, pro_turns, pro_closings},
    [STANCE_CON] = {con_openings, con_points, con_turns, con_closings},
    [STANCE_JUDGE] = {judge_openings, judge_points, judge_turns, judge_closings},
};

uint64_t demo_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* ---- The prompt ---- */

static uint64_t demo_hash(uint64_t seed, const void *p, size_t n) /* FNV-1a */
{
    const unsigned char *bytes = p;
    for (size_t i = 0; i < n; i++)
        seed = (seed ^ bytes[i]) * 0x100000001B3u;
    return seed;
}

static int64_t demo_count_words(struct str s)
{
    int64_t words = 0;
    bool in_word = false;
    for (size_t i = 0; i < s.n; i++) {
        bool is_space = isspace((unsigned char)s.p[i]);
        words += !is_space && !in_word;
        in_word = !is_space;
    }
    return words;
}

static void demo_prompt_message(struct demo_prompt *p, struct json message)
{
    struct json role = json_get(message, "role"), content = json_get(message, "content");
    if (json_string_eq(role, "system")) {
        buf_append_char(&p->system, '\n');
        json_string(content, &p->system);
    } else if (json_string_eq(role, "user")) {
        buf_clear(&p->user);
        json_string(content, &p->user);
    } else if (json_string_eq(role, "tool")) {
        p->has_results = true;
        buf_clear(&p->result);
        json_string(content, &p->result);
    }
    p->input_words += demo_count_words(json_raw(content));
}

int demo_prompt_init(struct demo_prompt *p, struct str request, struct id key, struct errbuf *e)
{
    struct json root = json_root(request), messages = json_get(root, "messages");
    if (json_type(messages) != JSON_ARRAY || json_length(messages) == 0)
        return err_set(e, ERR_INVALID, "messages: must be an array that is not empty");
    memset(p, 0, sizeof(*p));
    buf_init(&p->system, PROMPT_BYTES_MAX);
    buf_init(&p->user, PROMPT_BYTES_MAX);
    buf_init(&p->result, PROMPT_BYTES_MAX);
    p->tools = json_get_set(root, "tools");
    p->schema = json_get_set(root, "response_schema");
    p->max_words = INT64_MAX;
    json_i64(json_get(root, "max_tokens"), &p->max_words);
    p->seed = demo_hash(demo_hash(0xCBF29CE484222325u, key.b, sizeof(key.b)), request.p, request.n);
    struct json_iter it;
    json_iter_init(&it, messages);
    while (json_iter_next(&it))
        demo_prompt_message(p, it.value);
    return 0;
}

void demo_prompt_deinit(struct demo_prompt *p)
{
    buf_deinit(&p->system);
    buf_deinit(&p->user);
    buf_deinit(&p->result);
}

/* ---- Which side ---- */

/* The offset of the word in the first LOOK_BYTES of the text, as a whole word, or SIZE_MAX. */
static size_t demo_find_word(struct str text, const char *word)
{
    size_t n = strlen(word), end = text.n < LOOK_BYTES ? text.n : LOOK_BYTES;
    for (size_t i = 0; i + n <= end; i++) {
        if (strncasecmp(text.p + i, word, n) != 0)
            continue;
        bool begins = i == 0 || !isalpha((unsigned char)text.p[i - 1]);
        bool ends = i + n == text.n || !isalpha((unsigned char)text.p[i + n]);
        if (begins && ends)
            return i;
    }
    return SIZE_MAX;
}

static enum demo_stance demo_stance_in(struct str text)
{
    static const struct {
        const char *word;
        enum demo_stance stance;
    } words[] = {
        {"judge", STANCE_JUDGE},   {"moderator", STANCE_JUDGE},  {"arbiter", STANCE_JUDGE},
        {"referee", STANCE_JUDGE}, {"weigh", STANCE_JUDGE},      {"verdict", STANCE_JUDGE},
        {"chair", STANCE_JUDGE},   {"synthesise", STANCE_JUDGE}, {"against", STANCE_CON},
        {"con", STANCE_CON},       {"critic", STANCE_CON},       {"sceptic", STANCE_CON},
        {"skeptic", STANCE_CON},   {"oppose", STANCE_CON},       {"opponent", STANCE_CON},
        {"sceptical", STANCE_CON}, {"argue for", STANCE_PRO},    {"speak for", STANCE_PRO},
        {"pro", STANCE_PRO},       {"in favour", STANCE_PRO},    {"in favor", STANCE_PRO},
        {"advocate", STANCE_PRO},  {"supporter", STANCE_PRO},    {"proponent", STANCE_PRO},
        {"optimist", STANCE_PRO},  {"case for", STANCE_PRO},
    };
    size_t first = SIZE_MAX;
    enum demo_stance stance = STANCE_NEUTRAL;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t at = demo_find_word(text, words[i].word);
        if (at < first) {
            first = at;
            stance = words[i].stance;
        }
    }
    return stance;
}

static enum demo_stance demo_stance_of(const struct demo_prompt *p)
{
    enum demo_stance stance = demo_stance_in(buf_str(&p->system));
    return stance == STANCE_NEUTRAL ? demo_stance_in(buf_str(&p->user)) : stance;
}

/* ---- The topic ---- */

static struct str demo_trim(struct str s)
{
    while (s.n && strchr(" \t\r\n#*_>\"'-.:?!;,", s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && strchr(" \t\r\n#*_\"'-.:?!;,", s.p[s.n - 1]))
        s.n--;
    return s;
}

static struct str demo_line_at(struct str text, size_t at)
{
    const char *end = memchr(text.p + at, '\n', text.n - at);
    size_t n = end ? (size_t)(end - text.p) - at : text.n - at;
    return demo_trim((struct str){text.p + at, n});
}

/* After "Topic:" and its like. */
static struct str demo_topic_labelled(struct str text)
{
    static const char *const labels[] = {
        "topic:", "motion:", "question:", "task:", "subject:", "goal:"};
    for (size_t l = 0; l < sizeof(labels) / sizeof(labels[0]); l++) {
        size_t n = strlen(labels[l]);
        for (size_t i = 0; i + n <= text.n; i++)
            if (strncasecmp(text.p + i, labels[l], n) == 0)
                return demo_line_at(text, i + n);
    }
    return STR_NULL;
}

/* Between typographic quotes: what an answer of ours quoted, when it comes back in a prompt. */
static struct str demo_topic_quoted(struct str text)
{
    const char *open = memmem(text.p, text.n, "“", 3);
    if (!open)
        return STR_NULL;
    open += 3;
    const char *close = memmem(open, text.n - (size_t)(open - text.p), "”", 3);
    if (!close || (size_t)(close - open) > TOPIC_BYTES_MAX + 4)
        return STR_NULL;
    return demo_trim((struct str){open, (size_t)(close - open)});
}

/* The first line that is more than a heading. */
static struct str demo_topic_line(struct str text)
{
    struct str best = STR_NULL;
    for (size_t at = 0; at < text.n;) {
        const char *end = memchr(text.p + at, '\n', text.n - at);
        size_t next = end ? (size_t)(end - text.p) + 1 : text.n;
        struct str line = demo_line_at(text, at);
        size_t last = next - (end ? 2 : 1);
        bool is_heading = line.n && last < text.n && last >= at && text.p[last] == ':';
        if (line.n && !best.n)
            best = line;
        if (line.n && !is_heading)
            return line;
        at = next;
    }
    return best;
}

struct str demo_topic_of(struct str user)
{
    if (user.n == 0)
        return STR("the question at hand");
    struct str topic = demo_topic_labelled(user);
    if (!topic.n)
        topic = demo_topic_quoted(user);
    if (!topic.n)
        topic = demo_topic_line(user);
    if (topic.n > TOPIC_BYTES_MAX) {
        size_t n = utf8_cut(topic.p, TOPIC_BYTES_MAX);
        size_t space = n;
        while (space > n / 2 && topic.p[space - 1] != ' ')
            space--;
        topic = demo_trim((struct str){topic.p, space > n / 2 ? space : n});
    }
    return topic.n ? topic : STR("the question at hand");
}

/* ---- The round ---- */

/* "Round 2", the last one that is named; 0: none. */
static unsigned demo_round_of(struct str user)
{
    static const char word[] = "round ";
    unsigned round = 0;
    for (size_t i = 0; i + sizeof(word) - 1 < user.n; i++) {
        if (strncasecmp(user.p + i, word, sizeof(word) - 1) != 0)
            continue;
        const char *at = user.p + i + sizeof(word) - 1;
        if (*at >= '1' && *at <= '9')
            round = (unsigned)(*at - '0');
    }
    return round;
}

/* ---- Words of the topic ---- */

static bool demo_is_common(struct str word)
{
    static const char *const common[] = {"about",  "should",   "would",  "could", "there", "their",
                                         "these",  "those",    "which",  "where", "while", "after",
                                         "before", "write",    "please", "other", "every", "being",
                                         "topic",  "question", "answer", "short"};
    for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
        if (word.n == strlen(common[i]) && strncasecmp(word.p, common[i], word.n) == 0)
            return true;
    return false;
}

static bool demo_is_letter(char c)
{
    return isalpha((unsigned char)c) || (unsigned char)c >= 0x80 || c == '-';
}

/* Up to KEYWORDS words worth repeating. */
static size_t demo_keywords(struct str topic, struct str out[KEYWORDS])
{
    size_t count = 0;
    for (size_t i = 0; i < topic.n && count < KEYWORDS;) {
        size_t start = i;
        while (i < topic.n && demo_is_letter(topic.p[i]))
            i++;
        struct str word = {topic.p + start, i - start};
        if (word.n >= 5 && word.n <= 24 && !demo_is_common(word))
            out[count++] = word;
        if (i == start)
            i++;
    }
    return count;
}

/* ---- The answer ---- */

struct demo_writer {
    struct buf *out;
    uint64_t random;
    struct str topic;
    struct str keywords[KEYWORDS];
    size_t keyword_count;
};

static void demo_put_slot(struct demo_writer *w, char slot)
{
    if (slot == 't')
        buf_append_str(w->out, w->topic);
    else if (slot == 'n')
        buf_append_u64(w->out, 5 + demo_random(&w->random) % 5);
    else if (!w->keyword_count)
        buf_append_z(w->out, "the first step");
    else { /* reads well with a noun and with an adjective */
        buf_append_z(w->out, "the question of ");
        buf_append_str(w->out, w->keywords[demo_random(&w->random) % w->keyword_count]);
    }
}

static void demo_put(struct demo_writer *w, const char *sentence)
{
    if (w->out->len)
        buf_append_char(w->out, ' ');
    for (const char *c = sentence; *c; c++) {
        if (c[0] == '{' && c[1] && c[2] == '}') {
            demo_put_slot(w, c[1]);
            c += 2;
        } else {
            buf_append_char(w->out, *c);
        }
    }
}

/* `wanted` different ones of a bank's sentences, from a random one on. */
static void demo_put_some(struct demo_writer *w, const char *const *sentences, size_t wanted)
{
    size_t count = 0;
    while (sentences[count])
        count++;
    size_t at = demo_random(&w->random) % (count ? count : 1);
    for (size_t i = 0; i < wanted && i < count; i++)
        demo_put(w, sentences[(at + i) % count]);
}

/* What a tool gave, or how it begins. */
static void demo_put_result(struct demo_writer *w, struct str result)
{
    bool is_cut = result.n > RESULT_BYTES;
    struct str head = {result.p, is_cut ? utf8_cut(result.p, RESULT_BYTES) : result.n};
    demo_put(w, "The tool said: ");
    buf_append_str(w->out, head.n ? head : STR("nothing"));
    buf_append_z(w->out, is_cut ? "…" : ".");
}

static void demo_prose(const struct demo_prompt *p, struct buf *out)
{
    struct demo_writer w = {.out = out, .random = p->seed};
    w.topic = demo_topic_of(buf_str(&p->user));
    w.keyword_count = demo_keywords(w.topic, w.keywords);
    const struct demo_bank *bank = &banks[demo_stance_of(p)];
    bool is_remark_first = demo_random(&w.random) % 2;
    if (is_remark_first)
        demo_put(&w, DEMO_REMARK);
    if (p->has_results)
        demo_put_result(&w, buf_str(&p->result));
    demo_put_some(&w, bank->openings, 1);
    demo_put_some(&w, bank->points, 2 + demo_random(&w.random) % 3);
    demo_put_some(&w, bank->turns, 1);
    demo_put_some(&w, bank->closings, 1);
    if (!is_remark_first)
        demo_put(&w, DEMO_REMARK);
}

void demo_text_write(const struct demo_prompt *p, struct buf *out)
{
    if (demo_workflow_is_wanted(p->schema))
        demo_workflow_write(demo_topic_of(buf_str(&p->user)), out);
    else if (json_exists(p->schema))
        demo_json_write(p->schema,
                        &(struct demo_asked){.topic = demo_topic_of(buf_str(&p->user)),
                                             .seed = p->seed,
                                             .round = demo_round_of(buf_str(&p->user))},
                        out);
    else
        demo_prose(p, out);
}
