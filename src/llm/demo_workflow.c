#include "llm/demo_workflow.h"

#include "llm/demo_text.h"

/* TOPIC stands for the topic, as it may be written inside a JSON string and a template. */
static const char council[] =
    "{\"graph\":{\"name\":\"TOPIC\",\"type\":\"debate\","
    "\"description\":\"A council argues from three sides, a judge decides, a person has the last "
    "word.\","
    "\"input_schema\":{\"type\":\"object\",\"properties\":{\"topic\":{\"type\":\"string\","
    "\"title\":\"Question\",\"minLength\":3,\"default\":\"TOPIC\"}},\"required\":[\"topic\"]},"
    "\"nodes\":{"
    "\"start\":{\"type\":\"start\",\"next_ids\":[\"panel\"]},"
    "\"panel\":{\"type\":\"parallel\",\"next_ids\":[\"for\",\"against\",\"practice\"]},"
    "\"for\":{\"type\":\"agent\",\"name\":\"In "
    "favour\",\"properties\":{\"agent_id\":\"affirmative\","
    "\"persona\":\"You argue in favour, with concrete gains.\",\"prompt\":\"{{ input.topic }}\"},"
    "\"next_ids\":[\"judge\"]},"
    "\"against\":{\"type\":\"agent\",\"name\":\"Against\",\"properties\":{\"agent_id\":"
    "\"negative\","
    "\"persona\":\"You argue against, and name the risks.\",\"prompt\":\"{{ input.topic }}\"},"
    "\"next_ids\":[\"judge\"]},"
    "\"practice\":{\"type\":\"agent\",\"name\":\"In practice\",\"properties\":{\"agent_id\":"
    "\"pragmatist\",\"persona\":\"You say what a small first step would be.\","
    "\"prompt\":\"{{ input.topic }}\"},\"next_ids\":[\"judge\"]},"
    "\"judge\":{\"type\":\"llm\",\"name\":\"Verdict\",\"properties\":{\"system\":\"You are the "
    "judge "
    "of a council.\",\"prompt\":\"The question: {{ input.topic }}\\n\\nIn favour: {{ "
    "nodes[\\\"for\\\"]"
    ".output }}\\n\\nAgainst: {{ nodes.against.output }}\\n\\nIn practice: {{ "
    "nodes.practice.output }}\\n\\nDecide, and give your reasons.\"},\"next_ids\":[\"review\"]},"
    "\"review\":{\"type\":\"human_review\",\"name\":\"Review\",\"properties\":{\"prompt\":\"Is "
    "this "
    "verdict fit to be published?\",\"draft\":\"{{ nodes.judge.output }}\"},"
    "\"routes\":{\"approve\":\"end\",\"reject\":\"judge\"}},"
    "\"end\":{\"type\":\"end\",\"properties\":{\"output\":\"nodes.judge.output\"}}}},"
    "\"explanation\":\"Three agents argue side by side, a judge weighs them, and a person "
    "publishes "
    "the verdict or sends it back. " DEMO_REMARK "\"}";

bool demo_workflow_is_wanted(struct json schema)
{
    return json_string_eq(json_get(schema, "title"), "sluice_workflow");
}

/* Without what would end a string or begin a template. */
static void topic_write(struct str topic, struct buf *out)
{
    for (size_t i = 0; i < topic.n; i++) {
        unsigned char c = (unsigned char)topic.p[i];
        if (c < 0x20 || c == 0x7f)
            buf_append_char(out, ' ');
        else if (c != '"' && c != '\\' && c != '{' && c != '}')
            buf_append_char(out, (char)c);
    }
}

void demo_workflow_write(struct str topic, struct buf *out)
{
    const char *at = council;
    for (const char *p; (p = __builtin_strstr(at, "TOPIC")); at = p + 5) {
        buf_append(out, at, (size_t)(p - at));
        topic_write(topic, out);
    }
    buf_append_z(out, at);
}
