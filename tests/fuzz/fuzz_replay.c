/* The log of another session, which a fork replays: the first byte says up to where, or from which
 * node; the rest are its frames. Refused with a sentence, or a sound session that reads back. */
#include "fuzz.h"

#include <string.h>

#include "../unit/engine_rows.h"
#include "base/json.h"
#include "engine/expr.h"

static const char graph[] =
    "{\"vars\":{\"c\":1},\"nodes\":{"
    "\"start\":{\"type\":\"start\",\"next_ids\":[\"fork\"]},"
    "\"fork\":{\"type\":\"parallel\",\"next_ids\":[\"say\",\"loop\",\"rev\",\"each\",\"go\"]},"
    "\"say\":{\"type\":\"llm\",\"properties\":{\"prompt\":\"x\"},\"retry\":{\"max_attempts\":3},"
    "\"next_ids\":[\"join\"]},"
    "\"loop\":{\"type\":\"loop\",\"properties\":{\"max_rounds\":3},"
    "\"next_ids\":[\"body\",\"join\"]},"
    "\"body\":{\"type\":\"script\",\"properties\":{\"code\":\"return "
    "1\"},\"on_error\":\"continue\","
    "\"next_ids\":[\"loop\"]},"
    "\"rev\":{\"type\":\"human_review\",\"routes\":{\"approve\":\"join\",\"reject\":\"fork\"}},"
    "\"each\":{\"type\":\"map\",\"properties\":{\"items\":\"{1,2}\",\"body\":[\"a\",\"b\"]},"
    "\"next_ids\":[\"join\"]},"
    "\"a\":{\"type\":\"subworkflow\",\"properties\":{\"workflow_id\":\"w\"},\"next_ids\":[\"b\"]},"
    "\"b\":{\"type\":\"tool\",\"properties\":{\"tool\":\"write_file\",\"arguments\":"
    "{\"path\":\"a/b\",\"content\":\"x\"}}},"
    "\"go\":{\"type\":\"signal\",\"next_ids\":[\"join\"]},"
    "\"join\":{\"type\":\"user_input\",\"next_ids\":[\"end\"]},"
    "\"end\":{\"type\":\"end\"}}}";
static const char *const nodes[] = {"say", "loop", "body", "rev", "each", "a", "b", "join"};

static struct expr_vm *vm;
static struct workflow *wf;

static void fuzz_init(void)
{
    struct workflow_issues issues;
    workflow_issues_init(&issues);
    vm = expr_vm_create();
    FUZZ_CHECK(workflow_parse(str_of(graph), vm, &wf, &issues) == 0);
    workflow_issues_deinit(&issues);
}

/* What was made is what reads back. */
static void fuzz_read_back(struct session *s)
{
    struct rows rows;
    struct delta d;
    struct effect *effects;
    struct errbuf e = {{0}};
    struct session *again = NULL;
    rows_init(&rows);
    FUZZ_CHECK(engine_take_delta(s, 1767225600000, &d, &effects));
    rows_apply(&rows, &d);
    int rc = rows_restore(&rows, wf, vm, &again, &e);
    if (rc)
        fprintf(stderr, "%s\n", e.text);
    FUZZ_CHECK(rc == 0);
    session_destroy(again);
    buf_deinit(&d.events);
    arena_deinit(&d.arena);
    rows_deinit(&rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct id_source ids;
    struct errbuf e = {{0}};
    if (!wf)
        fuzz_init();
    if (size < 1)
        return 0;
    id_source_init_seed(&ids, 5);
    struct session_meta meta = {
        .workspace = STR("default"), .name = STR("fork"), .input_json = STR("{}")};
    struct session_params p = {.id = id_new(&ids, 1767225600000), .epoch = 1, .meta = &meta};
    struct session *s = session_create(wf, vm, &p);
    struct replay r = {.events = {(const char *)data + 1, size - 1},
                       .after_seq = data[0] < 64 ? 1 + data[0] * 4 : 1000000,
                       .node_id = data[0] >= 192 ? str_of(nodes[data[0] % 8]) : STR_NULL,
                       .vars_json = data[0] % 2 ? STR("{\"c\":7}") : STR_NULL,
                       .now_ms = 1767225600000,
                       .ids = &ids};
    if (engine_replay(s, &r, &e)) {
        FUZZ_CHECK(e.text[0]);
    } else {
        session_check(s);
        fuzz_read_back(s);
    }
    session_destroy(s);
    return 0;
}
