/* The examples of docs/EXPRESSIONS.md: each gives what the page says. */
#include "unit.h"

#include "engine/expr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define ARROW "--> "

static char *page;
static struct json data; /* of the examples */
static struct expr_vm *vm;
static unsigned examples;

static struct str member(const char *name)
{
    return json_raw(json_get(data, name));
}

static bool page_node(const struct expr_scope *s, struct str id, struct str *output,
                      const char **status)
{
    struct json_iter it;
    (void)s;
    json_iter_init(&it, json_get(data, "nodes"));
    while (json_iter_next(&it)) {
        if (!str_eq(it.key, id))
            continue;
        *output = json_raw(json_get(it.value, "output"));
        *status = json_string_eq(json_get(it.value, "status"), "pending") ? "pending" : "completed";
        return true;
    }
    return false;
}

static bool page_checkpoint(void *unused)
{
    (void)unused;
    return true;
}

static void page_log(void *unused, const char *level, struct str text)
{
    (void)unused, (void)level, (void)text;
}

enum kind { EXPRESSION, TEMPLATE, SCRIPT };

/* Runs code and compares: the result, or "! " and the error. */
static void page_example(enum kind kind, struct str code, struct str wanted)
{
    struct expr_scope scope = {member("input"), member("vars"), member("loop"), member("session"),
                               page_node,       NULL,           member("map")};
    struct expr_script_env env = {.env = json_raw(data),
                                  .memory_bytes_max = 8 << 20,
                                  .checkpoint = page_checkpoint,
                                  .log = page_log};
    struct errbuf e;
    struct buf out;
    int err = 0;
    buf_init(&out, 1 << 20);
    buf_append_z(&out, "");
    switch (kind) {
    case EXPRESSION:
        err = expr_eval(vm, code, &scope, &out, &e);
        break;
    case TEMPLATE:
        err = expr_render(vm, code, &scope, &out, &e);
        break;
    case SCRIPT:
        err = expr_run_script(code, &env, &out, &e);
        break;
    }
    if (err)
        buf_printf(&out, "! %s", e.text);
    if (!str_eq(buf_str(&out), wanted))
        fail_msg("%.*s\ngives %s\nnot   %.*s", STR_FMT(code), out.data, STR_FMT(wanted));
    buf_deinit(&out);
    examples++;
}

static struct str trimmed(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n'))
        p++;
    while (end > p && (end[-1] == ' ' || end[-1] == '\n'))
        end--;
    return (struct str){p, (size_t)(end - p)};
}

/* The next block that is fenced as `info`: its content; *at moves past it. */
static bool page_block(const char **at, const char *info, struct str *out)
{
    char fence[32];
    snprintf(fence, sizeof fence, "\n```%s\n", info);
    const char *from = strstr(*at, fence);
    if (!from)
        return false;
    from += strlen(fence);
    const char *to = strstr(from, "```\n");
    assert_non_null(to);
    *out = (struct str){from, (size_t)(to - from)};
    *at = to;
    return true;
}

static void test_expressions(void **state)
{
    (void)state;
    struct str block;
    for (const char *at = page; page_block(&at, "lua", &block);) {
        const char *p = block.p, *end = block.p + block.n;
        while (p < end) {
            const char *line_end = memchr(p, '\n', (size_t)(end - p));
            const char *arrow = memmem(p, (size_t)(line_end - p), ARROW, strlen(ARROW));
            assert_non_null(arrow);
            page_example(EXPRESSION, trimmed(p, arrow), trimmed(arrow + strlen(ARROW), line_end));
            p = line_end + 1;
        }
    }
    assert_true(examples >= 30);
}

static void check_blocks(const char *info, enum kind kind, unsigned least)
{
    struct str block;
    examples = 0;
    for (const char *at = page; page_block(&at, info, &block);) {
        const char *arrow = memmem(block.p, block.n, "\n" ARROW, 1 + strlen(ARROW));
        assert_non_null(arrow);
        page_example(kind, (struct str){block.p, (size_t)(arrow - block.p)},
                     trimmed(arrow + 1 + strlen(ARROW), block.p + block.n));
    }
    assert_true(examples >= least);
}

static void test_templates(void **state)
{
    (void)state;
    check_blocks("template", TEMPLATE, 5);
}

static void test_scripts(void **state)
{
    (void)state;
    check_blocks("script", SCRIPT, 2);
}

static int page_open(void **state)
{
    (void)state;
    FILE *f = fopen("docs/EXPRESSIONS.md", "rb");
    struct str block;
    struct errbuf e;
    if (!f)
        return -1;
    page = calloc(1, 1 << 20);
    size_t n = fread(page, 1, (1 << 20) - 1, f);
    fclose(f);
    const char *at = page;
    if (n == 0 || !page_block(&at, "json", &block) || json_check(block, NULL, &e) != 0)
        return -1;
    data = json_root(block);
    vm = expr_vm_create();
    return 0;
}

static int page_close(void **state)
{
    (void)state;
    expr_vm_destroy(vm);
    free(page);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expressions),
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_scripts),
    };
    return cmocka_run_group_tests(tests, page_open, page_close);
}
