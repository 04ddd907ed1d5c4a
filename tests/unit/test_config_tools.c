#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/config.h"

static char path[] = "/tmp/sluice-tools-XXXXXX";

static int load(struct config *c, const char *yaml, char *allow, struct errbuf *e)
{
    char *argv[] = {(char *)"--config", path, (char *)"--tool-allow", allow};
    strcpy(path + sizeof(path) - 7, "XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, yaml, strlen(yaml)), strlen(yaml));
    close(fd);
    e->text[0] = '\0';
    int rc = config_load(c, allow ? 4 : 2, argv, e);
    unlink(path);
    return rc;
}

static void test_sections(void **state)
{
    struct config c;
    struct errbuf e;
    struct buf out;
    (void)state;
    assert_int_equal(
        load(&c,
             "tools:\n  http: {allow: [127.0.0.1, '10.0.0.0/8'], proxy: 'http://p'}\n"
             "  secrets_dir: /run/s\n"
             "search:\n  one: {url: 'http://s/?q={query}', headers: {X-Key: k9k9, N: 5}, results: "
             "a.b}\n"
             "mcp:\n  servers:\n    files: {command: [prog, -a, '1'], env: {T: tok3n}, cwd: /srv}\n"
             "    shop: {url: 'http://m/mcp', headers: {A: hid1}}\n",
             (char *)"host:80, ::1", &e),
        0);
    const struct tools_settings *t = &c.tools;
    assert_string_equal(t->allow[0], "127.0.0.1");
    assert_string_equal(t->allow[1], "10.0.0.0/8");
    assert_string_equal(t->allow[2], "host:80");
    assert_string_equal(t->allow[3], "::1");
    assert_null(t->allow[4]);
    assert_string_equal(t->proxy, "http://p");
    assert_string_equal(t->secrets_dir, "/run/s");
    assert_int_equal(t->search_count, 1);
    assert_string_equal(t->searches[0].headers[0], "X-Key: k9k9");
    assert_string_equal(t->searches[0].headers[1], "N: 5");
    assert_string_equal(t->searches[0].results, "a.b");
    assert_int_equal(t->mcp_count, 2);
    assert_string_equal(t->mcp[0].command[2], "1");
    assert_null(t->mcp[0].command[3]);
    assert_string_equal(t->mcp[0].env[0], "T=tok3n");
    assert_string_equal(t->mcp[1].headers[0], "A: hid1");
    buf_init(&out, 1 << 20);
    config_print(&c, &out);
    assert_non_null(strstr(out.data, "files:"));
    assert_null(strstr(out.data, "tok3n"));
    assert_null(strstr(out.data, "hid1"));
    assert_null(strstr(out.data, "k9k9"));
    buf_deinit(&out);
    config_deinit(&c);
}

static void test_wrong(void **state)
{
    static const struct {
        const char *yaml, *part;
    } rows[] = {
        {"tools: 5\n", "tools: must be a mapping"},
        {"tools: {http: {allow: host}}\n", "tools.http.allow"},
        {"tools: {http: {alow: [host]}}\n", "tools.http.alow"},
        {"tools: {https: {}}\n", "tools.https"},
        {"tools: {secrets_dir: [a]}\n", "tools.secrets_dir"},
        {"search: {a: {results: x}}\n", "search.a: url"},
        {"search: {'a b': {url: 'x{query}'}}\n", "search.a b"},
        {"search: {a: {url: 'x{query}', headers: [1]}}\n", "search.headers"},
        {"mcp: {server: {}}\n", "mcp"},
        {"mcp: {servers: {a: {command: prog}}}\n", "mcp.servers.command"},
        {"mcp: {servers: {a: {env: {A: [1]}}}}\n", "mcp.servers.env"},
        {"mcp: {servers: {a: 5}}\n", "mcp.servers.a"},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct config c;
        struct errbuf e;
        assert_int_equal(load(&c, rows[i].yaml, NULL, &e), ERR_INVALID);
        if (!strstr(e.text, rows[i].part))
            fail_msg("row %zu: %s", i, e.text);
        config_deinit(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
