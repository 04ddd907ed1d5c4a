#include "answer.h"

#include <stdio.h>
#include <string.h>

const char *sim_answer(struct dice *d, struct str request)
{
    static const struct {
        const char *member;
        const char *answers[3];
    } rows[] = {
        {"\"decision\"",
         {"{\"decision\":\"yes\",\"score\":8,\"reasoning\":\"purr\"}",
          "{\"decision\":\"no\",\"score\":2,\"reasoning\":\"\"}",
          "{\"decision\":\"abstain\",\"score\":5,\"reasoning\":\"\\n\"}"}},
        {"\"verdict\"",
         {"{\"verdict\":\"supported\",\"reasoning\":\"r\",\"sources\":[1]}",
          "{\"verdict\":\"refuted\",\"reasoning\":\"r\",\"sources\":[]}",
          "{\"verdict\":\"unverified\",\"reasoning\":\"r\",\"sources\":[-1,99]}"}},
        {"\"claims\"",
         {"{\"claims\":[]}", "{\"claims\":[{\"claim\":\"a\",\"queries\":[]}]}",
          "{\"claims\":[{\"claim\":\"a\",\"queries\":[\"q\",\"r\"]},"
          "{\"claim\":\"b\",\"queries\":[\"\"]}]}"}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (memmem(request.p, request.n, rows[i].member, strlen(rows[i].member)))
            return rows[i].answers[dice_below(d, 3)];
    return "{\"ok\":true}";
}

const char *sim_tool_answer(struct dice *d, struct str request)
{
    static const char *const contexts[] = {
        "{\"agent\":{\"name\":\"X\",\"persona\":\"P\"},\"group\":null}",
        "{\"agent\":{\"persona\":\"P\",\"tools\":[\"web_search\"],\"max_tool_rounds\":2},"
        "\"group\":{\"system_prompt\":\"G\"},\"agent_memory\":[{\"id\":\"1\",\"content\":"
        "\"m\\nn\"}]}",
        "{\"agent\":null}",
    };
    static const char name[] = "\"agent_context\"";
    if (!memmem(request.p, request.n, name, sizeof(name) - 1))
        return "{\"n\":1}";
    return contexts[dice_chance(d, 90) ? dice_below(d, 2) : 2];
}

int64_t sim_budget(struct dice *d, char json[100])
{
    int64_t tokens = dice_chance(d, 30) ? dice_between(d, 50, 1000) : 0;
    snprintf(json, 100, "{\"tokens\":%lld,\"on_limit\":\"%s\"}", (long long)tokens,
             dice_chance(d, 15) ? "fail" : "pause");
    return tokens;
}

void sim_words(struct dice *d, struct buf *out)
{
    static const char *const words[] = {
        "cats ", "purr", "\n",          "\"quoted\" ", "\xc3\xa9t\xc3\xa9 ", "\xf0\x9f\x90\xb1",
        "\\n ",  "a",    " and so on, "};
    for (unsigned n = dice_below(d, 30); n; n--)
        buf_append_z(out, words[dice_below(d, 9)]);
}

const char *sim_tool_calls(struct dice *d)
{
    static const char *const calls[] = {
        "[{\"id\":\"a\",\"name\":\"find\",\"arguments\":\"{}\"}]",
        "[{\"id\":\"a\",\"name\":\"find\",\"arguments\":\"{}\"},"
        "{\"id\":\"b\",\"name\":\"find\",\"arguments\":\"{\\\"q\\\":1}\"}]",
        "[{\"id\":\"a\",\"name\":\"lose\",\"arguments\":\"{}\"}]",
        "[{\"id\":\"a\",\"name\":\"lose\",\"arguments\":\"\"},"
        "{\"id\":\"b\",\"name\":\"find\",\"arguments\":\"{\"}]"};
    return calls[dice_below(d, 4)];
}

struct str sim_cut(struct str text, size_t most)
{
    size_t n = text.n < most ? text.n : most;
    while (n < text.n && ((unsigned char)text.p[n] & 0xc0) == 0x80)
        n++;
    return (struct str){text.p, n};
}

static struct str answer_word(struct json v)
{
    return (struct str){v.p + 1, v.n - 2};
}

/* Of the items of a map that wait at one node, that which has waited longest: ids ascend. */
struct id sim_waiting_longest(struct json all, struct json node_id)
{
    struct id best = {{0}}, id;
    struct json_iter it;
    json_iter_init(&it, all);
    while (json_iter_next(&it)) {
        if (!json_eq(json_get(it.value, "node_id"), node_id) ||
            !id_parse(answer_word(json_get(it.value, "interrupt_id")), &id))
            continue;
        if (id_is_zero(best) || memcmp(&id, &best, sizeof(id)) < 0)
            best = id;
    }
    return best;
}
