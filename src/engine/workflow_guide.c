/* The format of workflows in short, for models. */
#include "engine/workflow_private.h"
#include "engine/workflow_schema.h"

static const char rules[] =
    "A workflow is a JSON object {\"id\", \"name\", \"description\", \"input_schema\", \"nodes\"}. "
    "nodes is an object of nodes by id; an id is 1 to 64 letters, digits, '_', '.' or '-'.\n"
    "A node is {\"type\", \"name\"?, \"next_ids\"? (array of node ids), \"properties\"?, "
    "\"routes\"? "
    "(label to node id, only of nodes that decide), \"when\"? (expression; false skips the node), "
    "\"join\"? (\"all\", \"any\" or a number), \"on_error\"? (\"fail\", \"continue\" or a node "
    "id), "
    "\"retry\"? {\"max_attempts\"}}. There are no other fields.\n"
    "Exactly one node has type start; at least one has type end. Every node must be reachable from "
    "the start, and from every node an end must be reachable. A cycle must pass through a loop, "
    "human_review or user_input node. A loop has exactly two next_ids, [body, exit]; the last node "
    "of its body leads back to the loop. The branches of a parallel node are its next_ids; they "
    "meet again at a common node.\n"
    "Expressions are Lua 5.4 expressions. Templates are texts with {{ expression }} in them. Both "
    "see input.<name>, nodes.<id>.output, vars.<name> and, in a loop, loop.round. Use only names "
    "that exist.\n\nTypes of nodes and their properties (* = required):\n";

static const char *const sentences[KIND_COUNT] = {
    [KIND_START] = "passes the input on",
    [KIND_END] = "ends; with a prompt it writes a final report",
    [KIND_LLM] = "one model call; its output is the text",
    [KIND_AGENT] = "a model call by a persona",
    [KIND_TRANSFORM] = "computes with expressions",
    [KIND_SWITCH] = "goes to the first case that holds; has no next_ids",
    [KIND_PARALLEL] = "runs its next_ids side by side",
    [KIND_LOOP] = "repeats its body",
    [KIND_HUMAN_REVIEW] = "a person decides; routes by the action: approve, reject, modify",
    [KIND_USER_INPUT] = "waits for a person to say something",
    [KIND_WAIT] = "waits for a time",
    [KIND_SCRIPT] = "sandboxed Lua; what it returns is its output",
    [KIND_TOOL] = "one call of a tool",
    [KIND_SIGNAL] = "waits for a signal of that name",
    [KIND_STAGE] = "people tick off a checklist and give deliverables",
    [KIND_TASK] = "done by a worker outside, over HTTP",
    [KIND_SUBWORKFLOW] = "runs another stored workflow as a session of its own",
    [KIND_VOTE] = "several voters decide; routes approve and reject",
    [KIND_FACT_CHECK] = "checks the claims of a text; routes approve and reject",
    [KIND_CONTEXT_SYNTH] = "what was said so far, in short",
    [KIND_MEMORY_RETRIEVAL] = "what a group remembers",
    [KIND_MAP] = "runs the nodes in body once for each item; no edge leads into or out of the body",
    [KIND_SEQUENCE] = "runs the nodes in steps one after the other; these have no next_ids",
};

static const char *type_word(enum prop_type t)
{
    static const char *const words[] = {
        [PROP_NAME] = "name",
        [PROP_TEMPLATE] = "template",
        [PROP_EXPR] = "expression",
        [PROP_EXPRS] = "expression, or an object of expressions",
        [PROP_INT] = "whole number",
        [PROP_EXPR_MAP] = "object of names and expressions",
        [PROP_NUMBER] = "number",
        [PROP_BOOL] = "true or false",
        [PROP_CODE] = "Lua code",
        [PROP_SCHEMA] = "JSON Schema",
        [PROP_NAMES] = "names",
        [PROP_MESSAGES] = "array of {role, content}",
        [PROP_NODE] = "node id",
        [PROP_CASES] = "array of {when: expression, to: node id}",
        [PROP_TIME] = "RFC 3339 time",
        [PROP_MEMORY] = "false, or {group_results, agent_results}",
        [PROP_MODEL] = "name, or an array: one after the other",
    };
    return (size_t)t < sizeof(words) / sizeof(words[0]) && words[t] ? words[t] : "text or object";
}

static void prop_guide(const struct prop_def *def, struct buf *out)
{
    buf_printf(out, "    %s%s: ", def->name, def->required ? "*" : "");
    if (def->type == PROP_WORD)
        for (const char *const *w = def->words; *w; w++)
            buf_printf(out, "%s%s", w == def->words ? "" : " | ", *w);
    else
        buf_append_z(out, type_word(def->type));
    if ((def->type == PROP_INT || def->type == PROP_NUMBER) && def->max < 1e6)
        buf_printf(out, " from %g to %g", def->min, def->max);
    buf_append_char(out, '\n');
}

void workflow_guide_write(struct buf *out)
{
    buf_append_z(out, rules);
    for (int k = 0; k < KIND_COUNT; k++) {
        if (k == KIND_PLUGIN)
            continue;
        const struct kind_def *kind = kind_def_of((enum node_kind)k);
        buf_printf(out, "- %s%s%s\n", kind->word, sentences[k] ? ": " : "",
                   sentences[k] ? sentences[k] : "");
        for (unsigned i = 0; i < kind->prop_count; i++)
            prop_guide(&kind->props[i], out);
    }
}
