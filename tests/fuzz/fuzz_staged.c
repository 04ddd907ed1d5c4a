/* A staged file as a peer sends it, YAML or JSON: whatever it is, repairing it ends, with a
 * workflow that validates or with an error that says why not; what was repaired needs no repair. It
 * is written as YAML, too, and reads back. */

#include "fuzz.h"

#include "base/yaml.h"
#include "base/yaml_write.h"
#include "engine/expr.h"
#include "engine/staged.h"

static void result_holds(const struct staged_result *r, int rc)
{
    unsigned unfixed = 0;
    FUZZ_CHECK(r->count <= STAGED_ISSUES_MAX);
    FUZZ_CHECK((rc == 0) == (r->errors == 0));
    for (unsigned i = 0; i < r->count; i++) {
        FUZZ_CHECK(r->issues[i].code.n && r->issues[i].message.n);
        unfixed += r->issues[i].is_error && !r->issues[i].fix.p;
    }
    FUZZ_CHECK(rc || !unfixed);
}

static void yaml_holds(struct str json)
{
    struct buf yaml, again;
    struct errbuf e;
    buf_init(&yaml, 64u << 20);
    buf_init(&again, 64u << 20);
    const struct json_limits limits = {.bytes_max = 64u << 20};
    FUZZ_CHECK(json_to_yaml(json, &yaml, &e) == 0);
    FUZZ_CHECK(yaml_to_json(buf_str(&yaml), &limits, &again, &e) == 0);
    FUZZ_CHECK(json_eq(json_root(json), json_root(buf_str(&again))));
    buf_deinit(&again);
    buf_deinit(&yaml);
}

static void converted(struct str json, struct expr_vm *vm)
{
    struct staged_result r, again;
    staged_result_init(&r);
    staged_result_init(&again);
    int rc = staged_convert(json, true, vm, &r);
    result_holds(&r, rc);
    if (rc == 0) {
        struct errbuf e;
        const struct json_limits limits = {.bytes_max = STAGED_BYTES_MAX * 2};
        FUZZ_CHECK(json_check(buf_str(&r.staged), &limits, &e) == 0);
        FUZZ_CHECK(json_check(buf_str(&r.native), &limits, &e) == 0);
        FUZZ_CHECK(staged_convert(buf_str(&r.staged), false, vm, &again) == 0);
        FUZZ_CHECK(str_eq(buf_str(&r.staged), buf_str(&again.staged)));
        FUZZ_CHECK(str_eq(buf_str(&r.native), buf_str(&again.native)));
        yaml_holds(buf_str(&r.native));
    }
    staged_result_deinit(&again);
    staged_result_deinit(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct expr_vm *vm;
    if (!vm)
        vm = expr_vm_create();
    struct str text = {(const char *)data, size};
    struct buf json;
    buf_init(&json, 1 << 20);
    bool good = size && data[0] == '{'
                    ? !json_check(text, NULL, NULL) && !buf_append_str(&json, text)
                    : !yaml_to_json(text, NULL, &json, NULL);
    if (good && staged_is(json_root(buf_str(&json))))
        converted(buf_str(&json), vm);
    else if (good)
        yaml_holds(buf_str(&json));
    buf_deinit(&json);
    return 0;
}
