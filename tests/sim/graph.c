#include "graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/workflow.h"

/* Built from the end: a block is told what follows it, and gives the id that it is entered by. */

#define GRAPH_NODES_MAX 40

struct node_id {
    char text[8];
};
struct graph {
    struct dice *d;
    struct buf *out;
    unsigned nodes;
    struct node_id *inside; /* of the container being built, or NULL */
    unsigned inside_count;
};
#define INSIDE_MAX 200

static const struct node_id nowhere = {""};

static struct node_id node_new(struct graph *g)
{
    struct node_id id;
    snprintf(id.text, sizeof(id.text), "n%u", g->nodes++ % 1000);
    if (g->inside && g->inside_count < INSIDE_MAX)
        g->inside[g->inside_count++] = id;
    return id;
}

static void node_open(struct graph *g, struct node_id id, const char *type)
{
    buf_printf(g->out, ",\"%s\":{\"type\":\"%s\"", id.text, type);
}

/* What any node may have. `handler` is where an error may go. */
static void node_options(struct graph *g, struct node_id next)
{
    if (dice_chance(g->d, 8))
        buf_printf(g->out, ",\"when\":\"vars.c %% %u ~= 0\"", dice_between(g->d, 1, 4));
    if (dice_chance(g->d, 40))
        buf_printf(g->out, ",\"retry\":{\"max_attempts\":%u,\"initial_ms\":%u,\"max_ms\":5000}",
                   dice_between(g->d, 2, 4), dice_below(g->d, 2) * 200);
    if (dice_chance(g->d, 20))
        buf_printf(g->out, ",\"timeout_ms\":%u", dice_between(g->d, 1000, 60000));
    if (dice_chance(g->d, 60))
        buf_append_z(g->out, ",\"on_error\":\"continue\"");
    else if (next.text[0] && dice_chance(g->d, 30))
        buf_printf(g->out, ",\"on_error\":\"%s\"", next.text);
}

static void node_next(struct graph *g, struct node_id next)
{
    if (next.text[0])
        buf_printf(g->out, ",\"next_ids\":[\"%s\"]", next.text);
    buf_append_char(g->out, '}');
}

static void stage_properties(struct graph *g)
{
    buf_append_z(g->out, "{\"checklist\":[\"a\",{\"name\":\"b\",\"required\":false}],"
                         "\"deliverables\":[\"d\"]");
    if (dice_chance(g->d, 20))
        buf_append_z(g->out, ",\"condition\":\"input.topic == 'Dogs'\"");
    buf_append_char(g->out, '}');
}

static void simple_properties(struct graph *g, unsigned kind)
{
    struct dice *d = g->d;
    buf_append_z(g->out, ",\"properties\":");
    switch (kind) {
    case 0:
        buf_append_z(g->out, "{\"output\":\"vars.c\",\"vars\":{\"c\":\"vars.c + 1\"}}");
        break;
    case 1:
        buf_append_z(g->out, "{\"prompt\":\"About {{ input.topic }}\"}");
        break;
    case 2:
        if (dice_chance(d, 50))
            buf_append_z(g->out, "{\"agent_id\":\"ada\",\"prompt\":\"{{ vars.c }}\"}");
        else
            buf_append_z(g->out, "{\"name\":\"A\",\"persona\":\"You are {{ session.name }}\"}");
        break;
    case 3:
        buf_append_z(g->out, "{\"code\":\"return vars.c\"}");
        break;
    case 4:
        buf_printf(g->out, "{\"duration_ms\":%u}", dice_below(d, 5) * 1000);
        break;
    case 5:
        buf_append_z(g->out, "{\"prompt\":\"Say something\"}");
        break;
    case 7:
        if (dice_chance(d, 50))
            buf_append_z(g->out, "{\"tool\":\"http\",\"arguments\":{\"n\":\"{{ vars.c }}\"}}");
        else
            buf_printf(g->out,
                       "{\"tool\":\"write_file\",\"arguments\":{\"path\":\"f%u\",\"content\":"
                       "\"{{ vars.c }}\"}}",
                       dice_below(d, 3));
        break;
    case 8:
        buf_printf(g->out,
                   "{\"persona\":\"P\",\"max_tool_rounds\":%u,\"on_tool_error\":\"%s\","
                   "\"tools\":[{\"name\":\"find\",\"tool\":\"web_search\","
                   "\"arguments\":{\"query\":\"{{ vars.c }}!\"}}]}",
                   dice_between(d, 1, 3), dice_chance(d, 50) ? "tell" : "fail");
        break;
    case 9:
        buf_append_z(g->out, "{\"queue\":\"q\",\"input\":\"vars.c\"}");
        break;
    case 10:
        buf_append_z(g->out, "{\"name\":\"go\"}");
        break;
    case 11:
        stage_properties(g);
        break;
    case 12:
        buf_printf(g->out,
                   "{\"voters\":[\"x\",\"y\",{\"name\":\"z\",\"persona\":\"{{ vars.c }}\"}],"
                   "\"question\":\"q\",\"quorum\":%u}",
                   dice_between(d, 1, 3));
        break;
    case 13:
        buf_printf(g->out, "{\"text\":\"{{ vars.c }}\",\"max_queries\":%u,\"max_claims\":%u}",
                   dice_below(d, 3), dice_between(d, 1, 3));
        break;
    case 14:
        buf_printf(g->out, "{\"max_recent_rounds\":%u}", dice_below(d, 2));
        break;
    default:
        buf_append_z(g->out, "{\"prompt\":\"x\",\"response_schema\":{\"type\":\"object\"}}");
        break;
    }
}

static struct node_id block_simple(struct graph *g, struct node_id next, const char *join)
{
    static const char *const types[] = {
        "transform", "llm",  "agent",  "script", "wait", "user_input", "llm",          "tool",
        "agent",     "task", "signal", "stage",  "vote", "fact_check", "context_synth"};
    unsigned kind = dice_below(g->d, 18);
    if (kind > 14)
        kind = dice_below(g->d, 3);
    struct node_id id = node_new(g);
    node_open(g, id, types[kind]);
    buf_append_z(g->out, join);
    node_options(g, next);
    simple_properties(g, kind);
    node_next(g, next);
    return id;
}

static void review_properties(struct graph *g)
{
    buf_append_z(g->out, ",\"properties\":{\"prompt\":\"Good?\"");
    if (dice_chance(g->d, 30))
        buf_printf(g->out, ",\"timeout_minutes\":%u,\"on_timeout\":\"%s\"",
                   dice_between(g->d, 1, 10), dice_chance(g->d, 50) ? "skip" : "fail");
    if (dice_chance(g->d, 20))
        buf_append_z(g->out, ",\"reminder_minutes\":0.5");
    if (dice_chance(g->d, 20))
        buf_append_z(g->out, ",\"allow_skip\":true");
    if (dice_chance(g->d, 25))
        buf_printf(g->out, ",\"quorum\":2,\"reject_quorum\":%u", dice_between(g->d, 1, 2));
    buf_append_char(g->out, '}');
}

static struct node_id sequence(struct graph *g, struct node_id next, unsigned depth);

/* A review; half of them send back to what was reviewed. */
static struct node_id block_review(struct graph *g, struct node_id next, unsigned depth)
{
    struct node_id id = node_new(g);
    bool back = depth && dice_chance(g->d, 60);
    struct node_id reviewed = back ? sequence(g, id, depth - 1) : id;
    node_open(g, id, "human_review");
    review_properties(g);
    buf_printf(g->out, ",\"routes\":{\"approve\":\"%s\",\"reject\":\"%s\"}}", next.text,
               back ? reviewed.text : next.text);
    return reviewed;
}

static struct node_id block_parallel(struct graph *g, struct node_id next, unsigned depth)
{
    static const char *const joins[] = {"",           "", "", ",\"join\":\"any\"", ",\"join\":1",
                                        ",\"join\":2"};
    struct node_id join = block_simple(g, next, joins[dice_below(g->d, 6)]), heads[4];
    unsigned count = dice_between(g->d, 2, 4);
    for (unsigned i = 0; i < count; i++)
        heads[i] = sequence(g, join, depth - 1);
    struct node_id id = node_new(g);
    node_open(g, id, "parallel");
    if (dice_chance(g->d, 40))
        buf_printf(g->out, ",\"properties\":{\"max_concurrent\":%u}", dice_between(g->d, 1, 2));
    buf_append_z(g->out, ",\"next_ids\":[");
    for (unsigned i = 0; i < count; i++)
        buf_printf(g->out, "%s\"%s\"", i ? "," : "", heads[i].text);
    buf_append_z(g->out, "]}");
    return id;
}

static struct node_id block_switch(struct graph *g, struct node_id next, unsigned depth)
{
    struct node_id a = sequence(g, next, depth - 1), b = sequence(g, next, depth - 1);
    struct node_id id = node_new(g);
    node_open(g, id, "switch");
    buf_printf(g->out,
               ",\"properties\":{\"cases\":[{\"when\":\"vars.c %% 2 == %u\",\"to\":\"%s\"}],"
               "\"default\":\"%s\"}}",
               dice_below(g->d, 2), a.text, b.text);
    return id;
}

static struct node_id block_loop(struct graph *g, struct node_id next, unsigned depth)
{
    struct node_id id = node_new(g);
    struct node_id body = sequence(g, id, depth - 1);
    node_open(g, id, "loop");
    buf_printf(g->out, ",\"properties\":{\"max_rounds\":%u", dice_between(g->d, 1, 3));
    if (dice_chance(g->d, 30))
        buf_append_z(g->out, ",\"exit_when\":\"vars.c > 6\"");
    if (dice_chance(g->d, 30))
        buf_append_z(g->out, ",\"score\":\"vars.c\",\"stagnation_rounds\":1");
    else if (dice_chance(g->d, 30))
        buf_append_z(g->out,
                     ",\"score\":\"5 - vars.c % 4\",\"regression_delta\":1,\"rollback\":true");
    buf_printf(g->out, "},\"next_ids\":[\"%s\",\"%s\"]}", body.text, next.text);
    return id;
}

static void inside_write(struct graph *g, const char *property, struct node_id first)
{
    buf_printf(g->out, ",\"properties\":{\"%s\":[\"%s\"", property, first.text);
    for (unsigned i = 0; i < g->inside_count; i++)
        if (strcmp(g->inside[i].text, first.text))
            buf_printf(g->out, ",\"%s\"", g->inside[i].text);
    buf_append_char(g->out, ']');
}

static struct node_id block_map(struct graph *g, struct node_id next, unsigned depth)
{
    static const char *const items[] = {"{1}",       "{vars.c, 2, 3}", "{4, 5}",
                                        "{6, 7, 8}", "array()",        "vars.c"};
    static const char *const policies[] = {"fail", "null", "drop"};
    struct node_id id = node_new(g), inside[INSIDE_MAX], *around = g->inside;
    unsigned around_count = g->inside_count;
    g->inside = inside;
    g->inside_count = 0;
    struct node_id first = sequence(g, block_simple(g, nowhere, ""), depth - 1);
    node_open(g, id, "map");
    inside_write(g, "body", first);
    buf_printf(g->out, ",\"items\":\"%s\"", items[dice_below(g->d, 6)]);
    if (dice_chance(g->d, 40))
        buf_printf(g->out, ",\"max_concurrent\":%u", dice_between(g->d, 1, 2));
    if (dice_chance(g->d, 50))
        buf_printf(g->out, ",\"on_item_error\":\"%s\"", policies[dice_below(g->d, 3)]);
    buf_append_char(g->out, '}');
    g->inside = around;
    g->inside_count = around_count;
    node_options(g, next);
    node_next(g, next);
    return id;
}

/* Its steps stand in the order made. */
static struct node_id block_sequence(struct graph *g, struct node_id next, unsigned depth)
{
    struct node_id id = node_new(g), inside[INSIDE_MAX], *around = g->inside, first;
    unsigned around_count = g->inside_count;
    g->inside = inside;
    g->inside_count = 0;
    first = block_simple(g, nowhere, "");
    for (unsigned left = dice_below(g->d, 3); left; left--) {
        if (depth > 1 && dice_chance(g->d, 30))
            block_map(g, nowhere, depth - 1);
        else
            block_simple(g, nowhere, "");
    }
    node_open(g, id, "sequence");
    inside_write(g, "steps", first);
    buf_append_char(g->out, '}');
    g->inside = around;
    g->inside_count = around_count;
    node_options(g, next);
    node_next(g, next);
    return id;
}

static struct node_id block(struct graph *g, struct node_id next, unsigned depth)
{
    unsigned roll = dice_below(g->d, 100);
    if (!depth || g->nodes > GRAPH_NODES_MAX || roll < 40)
        return block_simple(g, next, "");
    if (roll < 60)
        return block_parallel(g, next, depth);
    if (roll < 72)
        return block_loop(g, next, depth);
    if (roll < 82)
        return block_review(g, next, depth);
    if (roll < 89)
        return block_map(g, next, depth);
    if (roll < 93)
        return block_sequence(g, next, depth);
    return block_switch(g, next, depth);
}

static struct node_id sequence(struct graph *g, struct node_id next, unsigned depth)
{
    for (unsigned left = dice_between(g->d, 1, 2); left; left--)
        next = block(g, next, depth);
    return next;
}

void graph_random(struct dice *d, struct buf *json)
{
    struct graph g = {.d = d, .out = json};
    struct node_id end = node_new(&g);
    buf_printf(json, "{\"vars\":{\"c\":0},\"nodes\":{\"%s\":{\"type\":\"end\"%s}", end.text,
               dice_chance(d, 20) ? ",\"properties\":{\"prompt\":\"Sum up\"}" : "");
    struct node_id first = block(&g, sequence(&g, end, 3), 3);
    buf_printf(json, ",\"start\":{\"type\":\"start\",\"next_ids\":[\"%s\"]}}}", first.text);
}

struct workflow *graph_workflow(struct dice *d, struct expr_vm *vm)
{
    struct buf json;
    struct workflow *wf = NULL;
    struct workflow_issues issues;
    buf_init(&json, 1u << 20);
    workflow_issues_init(&issues);
    graph_random(d, &json);
    if (workflow_parse(buf_str(&json), vm, &wf, &issues)) {
        fprintf(stderr, "%.*s: %.*s\n%s\n", STR_FMT(issues.items[0].path),
                STR_FMT(issues.items[0].message), json.data);
        abort();
    }
    workflow_issues_deinit(&issues);
    buf_deinit(&json);
    return wf;
}
