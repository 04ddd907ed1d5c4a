/* Expressions, templates and scripts of peers. The first byte picks which; the rest is the code.
 * One machine serves all inputs, as in the server: what one leaves behind, the next would see. */
#include "fuzz.h"

#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "engine/expr.h"

static bool fuzz_node(const struct expr_scope *s, struct str id, struct str *output,
                      const char **status)
{
    (void)s;
    *output = STR_NULL;
    *status = "running";
    if (str_eqz(id, "b"))
        return true;
    *output = STR("{\"score\": 8, \"text\": \"caf\\u00e9\", \"list\": [1, [2], {}, []]}");
    *status = "completed";
    return str_eqz(id, "a");
}

static bool fuzz_exists(void *data, struct str id)
{
    (void)data;
    return str_eqz(id, "a") || str_eqz(id, "b");
}

#define FUZZ_STR(lit)                                                                              \
    {                                                                                              \
        (lit), sizeof(lit) - 1                                                                     \
    }

static const struct expr_scope fuzz_scope = {
    .input = FUZZ_STR("{\"s\": \"text\", \"n\": 1.5, \"l\": [1, 2, 3], \"z\": null}"),
    .vars = FUZZ_STR("{}"),
    .session = FUZZ_STR("{\"id\": \"s\"}"),
    .node = fuzz_node,
};

static bool fuzz_checkpoint(void *data)
{
    return ++*(unsigned *)data < 100;
}

static bool fuzz_emit(void *data, struct str text)
{
    FUZZ_CHECK(utf8_is_valid(text));
    return fuzz_checkpoint(data);
}

static void fuzz_save(void *data, struct str json)
{
    (void)data;
    FUZZ_CHECK(json_check(json, NULL, NULL) == 0);
}

static void fuzz_log(void *data, const char *level, struct str text)
{
    (void)data;
    FUZZ_CHECK(level && utf8_is_valid(text));
}

static void fuzz_script(struct str code, struct buf *out, struct errbuf *e)
{
    unsigned checkpoints = 0;
    struct expr_script_env env = {
        .env = STR("{\"input\":[1,{\"a\":\"b\"}],\"nodes\":{\"a\":{\"status\":\"completed\"}}}"),
        .memory_bytes_max = 4 << 20,
        .checkpoint = fuzz_checkpoint,
        .emit = fuzz_emit,
        .log = fuzz_log,
        .save = fuzz_save,
        .saved = STR("{\"at\":[1,null]}"),
        .data = &checkpoints,
    };
    int err = expr_run_script(code, &env, out, e);
    FUZZ_CHECK(err == 0 || err == ERR_INVALID || err == ERR_CANCELLED || err == ERR_TOO_LARGE);
    FUZZ_CHECK(err != 0 || json_check(buf_str(out), NULL, e) == 0);
}

/* "table: 0x55…" is how Lua shows an address, where the code does not write such a thing itself. */
static void fuzz_no_address(struct str code, struct str s)
{
    static const char *const kinds[] = {"table: 0x", "function: 0x", "userdata: 0x"};
    for (size_t i = 0; i < 3; i++)
        FUZZ_CHECK(!s.n || !memmem(s.p, s.n, kinds[i], strlen(kinds[i])) ||
                   memmem(code.p, code.n, "0x", 2));
}

static void fuzz_code(struct expr_vm *vm, uint8_t mode, struct str code, struct buf *out)
{
    struct errbuf e = {""};
    bool truth;
    int err = 0;
    switch (mode % 4) {
    case 0:
        expr_check(vm, code, fuzz_exists, NULL, &e);
        err = expr_eval(vm, code, &fuzz_scope, out, &e);
        FUZZ_CHECK(err || json_check(buf_str(out), NULL, &e) == 0);
        break;
    case 1:
        expr_check_template(vm, code, fuzz_exists, NULL, &e);
        err = expr_render(vm, code, &fuzz_scope, out, &e);
        FUZZ_CHECK(err || utf8_is_valid(buf_str(out)));
        break;
    case 2:
        expr_check_script(vm, code, fuzz_exists, NULL, &e);
        fuzz_script(code, out, &e);
        break;
    case 3:
        err = expr_eval_bool(vm, code, &fuzz_scope, &truth, &e);
        break;
    }
    FUZZ_CHECK(!err || (e.text[0] && out->len == 0));
    fuzz_no_address(code, str_of(e.text));
    fuzz_no_address(code, buf_str(out));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char probe[] =
        "type(string.upper) .. ('a'):upper() .. len(input.l) .. json({nodes.a.status, null})";
    static struct expr_vm *vm;
    struct errbuf e;
    struct buf out;
    if (size == 0)
        return 0;
    if (!vm)
        vm = expr_vm_create();
    char *code = malloc(size);
    memcpy(code, data + 1, size - 1);
    buf_init(&out, 8 << 20);
    fuzz_code(vm, data[0], (struct str){code, size - 1}, &out);
    free(code);
    buf_clear(&out);
    FUZZ_CHECK(expr_eval(vm, str_of(probe), &fuzz_scope, &out, &e) == 0);
    FUZZ_CHECK(str_eqz(buf_str(&out), "\"functionA3[\\\"completed\\\",null]\""));
    buf_deinit(&out);
    return 0;
}
