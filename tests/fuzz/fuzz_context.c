/* What the shell answers to agent_context: a stored agent with settings and tools, a group, what
 * both remember. Written by people, kept in a store. Whatever it is: a sentence, or a session that
 * runs on to its end, over a restart in between. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "../unit/engine_rows.h"
#include "engine/expr.h"

static const char graph[] =
    "{\"nodes\":{"
    "\"start\":{\"type\":\"start\",\"next_ids\":[\"a\"]},"
    "\"a\":{\"type\":\"agent\",\"on_error\":\"continue\",\"retry\":{\"max_attempts\":2,"
    "\"initial_ms\":0},\"properties\":{\"agent_id\":\"ada\",\"prompt\":\"Q\"},\"next_ids\":[\"v\"]}"
    ","
    "\"v\":{\"type\":\"vote\",\"on_error\":\"continue\",\"properties\":{\"voters\":[\"bob\","
    "{\"name\":\"eve\"}],\"question\":\"q\"},\"next_ids\":[\"end\"]},"
    "\"end\":{\"type\":\"end\"}}}";

#define CALLS_MAX 64

struct calls {
    struct id ids[CALLS_MAX];
    enum { CALL_MODEL, CALL_CONTEXT, CALL_TOOL } kinds[CALLS_MAX];
    unsigned count;
};

static struct expr_vm *vm;
static struct workflow *wf;
static struct id_source ids;
static int64_t now = 1767225600000;

static void fuzz_take(struct session *s, struct calls *c, struct rows *rows)
{
    static const char name[] = "\"internal\":true";
    struct delta d;
    struct effect *effects;
    if (!engine_take_delta(s, now, &d, &effects))
        return;
    for (; effects; effects = effects->next) {
        struct str request = effects->request_json;
        if ((effects->kind != EFFECT_MODEL_START && effects->kind != EFFECT_TOOL_START) ||
            c->count == CALLS_MAX)
            continue;
        FUZZ_CHECK(!json_check(request, NULL, NULL));
        bool is_inside = memmem(request.p, request.n, name, sizeof(name) - 1) != NULL;
        c->ids[c->count] = effects->run_id;
        c->kinds[c->count++] = effects->kind == EFFECT_MODEL_START ? CALL_MODEL
                               : is_inside                         ? CALL_CONTEXT
                                                                   : CALL_TOOL;
    }
    rows_apply(rows, &d);
    buf_deinit(&d.events);
    arena_deinit(&d.arena);
}

static void fuzz_step(struct session *s, struct engine_input in)
{
    struct errbuf e;
    in.now_ms = now;
    in.ids = &ids;
    engine_step(s, &in, &e);
    session_check(s);
}

static void fuzz_answer(struct session *s, const struct calls *c, unsigned i, struct str text)
{
    static const char tools[] = "[{\"id\":\"1\",\"name\":\"get\",\"arguments\":\"{}\"}]";
    struct engine_input in = {.kind = IN_RUN_DONE, .run_id = c->ids[i], .output_json = STR("1")};
    if (c->kinds[i] == CALL_CONTEXT) {
        in.output_json = text;
    } else if (c->kinds[i] == CALL_MODEL) {
        fuzz_step(s, (struct engine_input){
                         .kind = IN_CHUNK, .run_id = c->ids[i], .text = STR("{\"decision\":1}")});
        in = (struct engine_input){.kind = IN_MODEL_DONE,
                                   .run_id = c->ids[i],
                                   .finish_reason = STR("stop"),
                                   .tool_calls_json = i % 3 ? STR(tools) : STR_NULL};
    }
    fuzz_step(s, in);
}

static void fuzz_open(struct rows *rows, struct session **s)
{
    struct session_meta meta = {
        .workspace = STR("default"), .group_id = STR("cats"), .input_json = STR("{\"x\":1}")};
    if (!vm) {
        struct workflow_issues issues;
        vm = expr_vm_create();
        workflow_issues_init(&issues);
        FUZZ_CHECK(!workflow_parse(str_of(graph), vm, &wf, &issues));
        workflow_issues_deinit(&issues);
    }
    id_source_init_seed(&ids, 1);
    rows_init(rows);
    struct session_params p = {.id = id_new(&ids, (uint64_t)now), .epoch = 1, .meta = &meta};
    *s = session_create(wf, vm, &p);
    fuzz_step(*s, (struct engine_input){.kind = IN_START});
}

/* The first byte: after which call the server dies, and somebody says something. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct calls c = {.count = 0};
    struct session *s;
    struct rows rows;
    struct errbuf e;
    if (!size)
        return 0;
    char *copy = malloc(size); /* exactly as long as the text: a byte too far is seen */
    memcpy(copy, data + 1, size - 1);
    fuzz_open(&rows, &s);
    fuzz_take(s, &c, &rows);
    for (unsigned i = 0; i < c.count; i++) {
        fuzz_answer(s, &c, i, (struct str){copy, size - 1});
        if (i == data[0] % 8)
            fuzz_step(s, (struct engine_input){.kind = IN_USER_INPUT, .content = STR("Hear!")});
        fuzz_take(s, &c, &rows);
        if (i != data[0] / 8 % 8 || session_status_is_terminal(session_status_of(s)))
            continue;
        session_destroy(s);
        FUZZ_CHECK(rows_restore(&rows, wf, vm, &s, &e) == 0);
        fuzz_step(s, (struct engine_input){.kind = IN_RECOVER});
        fuzz_take(s, &c, &rows);
    }
    if (!session_status_is_terminal(session_status_of(s)))
        fuzz_step(s, (struct engine_input){.kind = IN_CANCEL});
    fuzz_take(s, &c, &rows);
    session_destroy(s);
    rows_deinit(&rows);
    free(copy);
    return 0;
}
