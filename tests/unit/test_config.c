#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/config.h"

static int load(struct config *c, struct errbuf *e, int argc, ...)
{
    char *argv[16];
    va_list ap;
    va_start(ap, argc);
    for (int i = 0; i < argc; i++)
        argv[i] = va_arg(ap, char *);
    va_end(ap);
    e->text[0] = 0;
    return config_load(c, argc, argv, e);
}

static void clean_environment(void)
{
    static const char *const names[] = {"SLUICE_LISTEN",          "SLUICE_DATA",
                                        "SLUICE_LOG_LEVEL",       "OPENAI_API_KEY",
                                        "SLUICE_MODEL",           "OPENAI_BASE_URL",
                                        "SLUICE_CONFIG",          "SLUICE_EXAMPLES",
                                        "SLUICE_EMBEDDING_MODEL", "SLUICE_EMBEDDING_DIMENSIONS"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unsetenv(names[i]);
    setenv("HOME", "/home/u", 1);
    unsetenv("XDG_DATA_HOME");
}

static void test_defaults(void **state)
{
    struct config c;
    struct errbuf e;
    (void)state;
    clean_environment();
    assert_int_equal(load(&c, &e, 0), 0);
    assert_string_equal(c.host, "127.0.0.1");
    assert_int_equal(c.port, 8080);
    assert_string_equal(c.data, "/home/u/.local/share/sluice");
    assert_true(c.migrate);
    assert_int_equal(c.provider_count, 1);
    assert_string_equal(c.providers[0].id, "demo");
    config_deinit(&c);
}

static char *write_file(const char *text)
{
    static char path[] = "/tmp/sluice-config-XXXXXX";
    strcpy(path + sizeof(path) - 7, "XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

static void test_flags_win_over_environment_over_file(void **state)
{
    struct config c;
    struct errbuf e;
    (void)state;
    clean_environment();
    char *path = write_file(
        "listen: 127.0.0.1:1\ndata: /file\nlog_level: warn\n"
        "providers:\n  - {id: here, base_url: http://127.0.0.1:9/v1, models: [m1, m2]}\n");
    setenv("SLUICE_DATA", "/env", 1);
    setenv("SLUICE_LISTEN", "127.0.0.1:2", 1);
    assert_int_equal(load(&c, &e, 3, "--config", path, "--listen=127.0.0.1:3"), 0);
    assert_int_equal(c.port, 3);
    assert_string_equal(c.data, "/env");
    assert_int_equal(c.log_level, LOG_WARN);
    assert_string_equal(c.providers[0].id, "here");
    assert_string_equal(c.providers[0].default_model, "m1");
    assert_string_equal(c.providers[1].id, "demo");
    struct buf out;
    buf_init(&out, 1u << 16);
    config_print(&c, &out);
    assert_non_null(strstr(out.data, "listen: \"127.0.0.1:3\" # flag\n"));
    assert_non_null(strstr(out.data, "data: \"/env\" # environment\n"));
    assert_non_null(strstr(out.data, "log_level: \"warn\" # file\n"));
    buf_deinit(&out);
    config_deinit(&c);
    unlink(path);
    clean_environment();
}

static void test_provider_of_the_environment_comes_first(void **state)
{
    struct config c;
    struct errbuf e;
    (void)state;
    clean_environment();
    setenv("OPENAI_API_KEY", "sk-very-secret", 1);
    setenv("SLUICE_MODEL", "m", 1);
    assert_int_equal(load(&c, &e, 0), 0);
    assert_string_equal(c.providers[0].id, "default");
    assert_string_equal(c.providers[0].base_url, "https://api.openai.com/v1");
    assert_string_equal(c.providers[0].default_model, "m");
    struct buf out;
    buf_init(&out, 1u << 16);
    config_print(&c, &out);
    assert_null(strstr(out.data, "very-secret"));
    assert_non_null(strstr(out.data, "api_key: (hidden)"));
    buf_deinit(&out);
    config_deinit(&c);
    clean_environment();
}

static void test_embedding(void **state)
{
    static const struct {
        const char *file, *model, *dimensions;
        const char *provider, *wants; /* NULL: none */
        unsigned count;
    } rows[] = {
        {"data: /x\n", NULL, NULL, NULL, NULL, 0},
        {"embedding: {provider: demo}\n", NULL, NULL, "demo", "demo", 0},
        {"embedding: {model: m, dimensions: 256}\n", NULL, NULL, "here", "m", 256},
        {"embedding: {model: m, dimensions: 256}\n", "n", "8", "here", "n", 8},
        {"embedding: {model: m, provider: demo}\n", "n", NULL, "demo", "n", 0},
        {"data: /x\n", "n", NULL, "here", "n", 0},
    };
    static const char here[] = "providers:\n  - {id: here, base_url: http://127.0.0.1:9/v1}\n";
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct config c;
        struct errbuf e;
        char text[256];
        struct buf out;
        clean_environment();
        snprintf(text, sizeof(text), "%s%s", rows[i].file, here);
        char *path = write_file(text);
        if (rows[i].model)
            setenv("SLUICE_EMBEDDING_MODEL", rows[i].model, 1);
        if (rows[i].dimensions)
            setenv("SLUICE_EMBEDDING_DIMENSIONS", rows[i].dimensions, 1);
        assert_int_equal(load(&c, &e, 2, "--config", path), 0);
        buf_init(&out, 1u << 16);
        config_print(&c, &out);
        if (rows[i].wants) {
            assert_string_equal(c.embedding.model, rows[i].wants);
            assert_string_equal(c.embedding.provider, rows[i].provider);
            assert_non_null(strstr(out.data, "embedding: # "));
        } else {
            assert_null(c.embedding.model);
            assert_non_null(strstr(out.data, "embedding: null"));
        }
        assert_int_equal(c.embedding.dimensions, rows[i].count);
        buf_deinit(&out);
        config_deinit(&c);
        unlink(path);
    }
    clean_environment();
}

static void test_embedding_refused(void **state)
{
    static const struct {
        const char *file, *says;
    } rows[] = {
        {"embedding: x\n", "embedding: wants provider, model and dimensions"},
        {"embedding: {modell: m}\n", "embedding.modell: unknown key or bad value"},
        {"embedding: {model: m, dimensions: 0}\n", "embedding.dimensions: unknown key"},
        {"embedding: {model: m, dimensions: 5000}\n", "embedding.dimensions: unknown key"},
        {"embedding: {model: m, provider: q}\n", "there is no provider \"q\""},
        {"providers:\n  - {id: h, base_url: http://h/v1}\nembedding: {dimensions: 3}\n",
         "embedding.model: wanted"},
        {"providers:\n  - {id: h, base_url: http://h/v1, dialect: anthropic}\n"
         "embedding: {model: m}\n",
         "speaks a dialect that has no vectors"},
    };
    (void)state;
    clean_environment();
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct config c;
        struct errbuf e;
        char *path = write_file(rows[i].file);
        assert_int_equal(load(&c, &e, 2, "--config", path), ERR_INVALID);
        if (!strstr(e.text, rows[i].says))
            fail_msg("%s: says \"%s\", wanted \"%s\"", rows[i].file, e.text, rows[i].says);
        config_deinit(&c);
        unlink(path);
    }
}

static void test_refusals(void **state)
{
    static const struct {
        const char *arg, *says;
    } rows[] = {
        {"--lisen=127.0.0.1:1", "unknown option: --lisen=127.0.0.1:1"},
        {"serve", "unexpected argument: serve"},
        {"--data", "--data wants DIR"},
        {"--listen=127.0.0.1", "wants HOST:PORT"},
        {"--listen=127.0.0.1:99999", "wants HOST:PORT"},
        {"--log-level=loud", "wants debug, info, warn or error"},
        {"--auth=maybe", "wants auto, required or off"},
        {"--store=mysql://x", "wants postgres:// or postgresql://"},
        {"--cache=memcached://x", "wants redis://, rediss:// or unix://"},
        {"--no-listen", "unknown option"},
        {"--config=/nonexistent", "No such file"},
    };
    (void)state;
    clean_environment();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config c;
        struct errbuf e;
        assert_int_equal(load(&c, &e, 1, rows[i].arg), ERR_INVALID);
        if (!strstr(e.text, rows[i].says))
            fail_msg("%s: says \"%s\", wanted \"%s\"", rows[i].arg, e.text, rows[i].says);
        config_deinit(&c);
    }
}

static void test_auth(void **state)
{
    static const struct {
        const char *listen, *auth, *says; /* NULL: taken */
        enum auth_mode mode;
    } rows[] = {
        {"127.0.0.1:0", "off", NULL, AUTH_OFF},
        {"[::1]:0", "off", NULL, AUTH_OFF},
        {"0.0.0.0:0", "required", NULL, AUTH_REQUIRED},
        {"0.0.0.0:0", "auto", NULL, AUTH_AUTO}, /* it depends on the keys of the store */
        {"0.0.0.0:0", "off", "refused beyond loopback", AUTH_OFF},
        {"[::]:0", "off", "refused beyond loopback", AUTH_OFF},
        {"192.168.1.1:80", "off", "refused beyond loopback", AUTH_OFF},
    };
    (void)state;
    clean_environment();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config c;
        struct errbuf e = {""};
        int rc = load(&c, &e, 4, "--listen", rows[i].listen, "--auth", rows[i].auth);
        assert_int_equal(rc, rows[i].says ? ERR_INVALID : 0);
        if (rows[i].says)
            assert_non_null(strstr(e.text, rows[i].says));
        assert_int_equal(c.auth_mode, rows[i].mode);
        config_deinit(&c);
    }
}

static void test_ages(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } rows[] = {
        {"30s", 30000}, {"10m", 600000}, {"12h", 43200000}, {"7d", 604800000}, {"2", 172800000},
        {"off", 0},     {"0s", -1},      {"-1d", -1},       {"7w", -1},        {"", -1},
        {"d", -1},      {"1.5d", -1},    {"99999999d", -1}, {"7 d", -1},
    };
    struct config c;
    struct errbuf e;
    (void)state;
    clean_environment();
    assert_int_equal(load(&c, &e, 0), 0);
    assert_int_equal(c.retain_tokens_ms, 604800000);
    assert_int_equal(c.retain_sessions_ms, 0);
    assert_int_equal(c.retain_keys_ms, 86400000);
    config_deinit(&c);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int rc = load(&c, &e, 2, "--retain-sessions", rows[i].text);
        assert_int_equal(rc, rows[i].ms < 0 ? ERR_INVALID : 0);
        if (rc == 0)
            assert_int_equal(c.retain_sessions_ms, rows[i].ms);
        else
            assert_non_null(strstr(e.text, "--retain-sessions"));
        config_deinit(&c);
    }
}

static void test_bad_files(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"lisen: x\n", "unknown setting: lisen"},
        {"- a\n", "must be a mapping"},
        {"a: [\n", "line"},
        {"providers:\n  - {id: x}\n", "providers[0]: base_url is required"},
        {"providers:\n  - {base_url: x}\n", "providers[0]: id is required"},
        {"providers: {id: x}\n", "providers: wants a list"},
        {"providers: [x]\n", "providers[0]: must be an object"},
        {"providers:\n  - {id: 7}\n", "providers[0].id: wants text"},
        {"providers:\n  - {dialect: latin}\n",
         "providers[0].dialect: wants openai, anthropic or demo"},
        {"providers:\n  - {api_key: sk-123}\n",
         "providers[0].api_key: a key does not stand in the settings: give api_key_env or "
         "api_key_file"},
        {"providers:\n  - {api_key_env: SLUICE_NO_SUCH_KEY}\n",
         "providers[0].api_key_env: the variable SLUICE_NO_SUCH_KEY is not set"},
        {"providers:\n  - {api_key_file: /no/such/file}\n",
         "providers[0].api_key_file: /no/such/file"},
        {"providers:\n  - {api_key_file: /dev/null}\n",
         "providers[0].api_key_file: /dev/null: there is no key in it"},
        {"providers:\n  - {models: []}\n", "providers[0].models: wants a list of 1 to 500 names"},
        {"providers:\n  - {models: [a, 7]}\n", "providers[0].models: wants names"},
        {"providers:\n  - {max_concurrent: 0}\n",
         "providers[0].max_concurrent: wants a whole number from 1 to 100000"},
        {"providers:\n  - {queue_timeout_ms: 1.5}\n",
         "providers[0].queue_timeout_ms: wants a whole number"},
        {"queue_timeout: soon\n", "--queue-timeout soon: wants a time"},
        {"prices: [{model: m, input: 0.0000001, output: 1}]\n", "prices[0].input"},
        {"providers:\n  - {id: x, base_url: y, colour: z}\n", "providers[0].colour"},
    };
    (void)state;
    clean_environment();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config c;
        struct errbuf e;
        char *path = write_file(rows[i].text);
        assert_int_equal(load(&c, &e, 2, "--config", path), ERR_INVALID);
        if (!strstr(e.text, rows[i].says))
            fail_msg("file %zu: says \"%s\", wanted \"%s\"", i, e.text, rows[i].says);
        config_deinit(&c);
        unlink(path);
    }
}

static void test_key_of_a_file(void **state)
{
    struct config c;
    struct errbuf e;
    struct buf out;
    char key[64], text[256];
    (void)state;
    clean_environment();
    strcpy(key, write_file("\n  sk-very-secret-key \n"));
    snprintf(text, sizeof(text),
             "providers:\n  - {id: a, dialect: anthropic, base_url: 'http://x', api_key_file: %s,"
             " models: [m1, m2], queue_timeout_ms: 5000}\n"
             "  - {id: b, base_url: 'http://y/v1', max_concurrent: 4}\n",
             key);
    char *path = write_file(text);
    assert_int_equal(load(&c, &e, 4, "--config", path, "--queue-timeout", "20s"), 0);
    assert_string_equal(c.providers[0].api_key, "sk-very-secret-key");
    assert_string_equal(c.providers[0].api_key_file, key);
    assert_int_equal(c.providers[0].dialect, LLM_ANTHROPIC);
    assert_int_equal(c.providers[0].model_count, 2);
    assert_string_equal(c.providers[0].models[1], "m2");
    assert_string_equal(c.providers[0].default_model, "m1");
    assert_int_equal(c.providers[0].queue_timeout_ms, 5000);
    assert_int_equal(c.providers[1].queue_timeout_ms, 20000);
    buf_init(&out, 1u << 20);
    config_print(&c, &out);
    assert_null(strstr(out.data, "very-secret"));
    assert_non_null(strstr(out.data, "api_key: (hidden)"));
    assert_non_null(strstr(out.data, "models: [\"m1\", \"m2\"]"));
    buf_deinit(&out);
    config_deinit(&c);
    unlink(path);
    unlink(key);
}

static void test_prices_of_a_file(void **state)
{
    static const char *const good[] = {"[{model: m, input: 1, output: 2}]\n",
                                       "prices: [{model: m, input: 1.0, output: 2}]\n"};
    struct config c;
    struct errbuf e;
    char settings[64];
    (void)state;
    clean_environment();
    strcpy(settings, write_file("prices: [{model: m, input: 3, output: 4},"
                                " {model: n, provider: p, input: 5, output: 6}]\n"));
    for (size_t i = 0; i < ROWS(good); i++) {
        char *path = write_file(good[i]);
        assert_int_equal(load(&c, &e, 4, "--config", settings, "--prices", path), 0);
        assert_int_equal(c.prices.count, 3);
        assert_int_equal(c.prices.rows[0].source, LLM_PRICE_FILE);
        assert_int_equal(c.prices.rows[0].price.input, 1000000);
        assert_int_equal(c.prices.rows[2].source, LLM_PRICE_SETTINGS);
        assert_string_equal(c.prices.rows[2].provider, "p");
        config_deinit(&c);
        unlink(path);
    }
    char *path = write_file("prices: [{input: 1}]\n");
    assert_int_equal(load(&c, &e, 2, "--prices", path), ERR_INVALID);
    assert_non_null(strstr(e.text, "--prices: /tmp/"));
    assert_non_null(strstr(e.text, "prices[0]: model, input and output are required"));
    config_deinit(&c);
    unlink(path);
    assert_int_equal(load(&c, &e, 2, "--prices", "/no/such"), ERR_INVALID);
    config_deinit(&c);
    unlink(settings);
}

static void test_hosts(void **state)
{
    struct config c;
    struct errbuf e;
    (void)state;
    clean_environment();
    assert_int_equal(load(&c, &e, 1, "--listen=[::1]:0"), 0);
    assert_string_equal(c.host, "::1");
    assert_int_equal(c.port, 0);
    config_deinit(&c);
    assert_int_equal(load(&c, &e, 2, "--listen", ":5"), 0);
    assert_string_equal(c.host, "127.0.0.1");
    config_deinit(&c);
}

static void test_passwords_are_not_printed(void **state)
{
    static const struct {
        const char *url, *shown;
    } rows[] = {
        {"redis://h:1/2", "redis://h:1/2"},
        {"redis://:pa:s@s@h/1", "redis://:(hidden)@h/1"},
        {"rediss://u:pass@h", "rediss://u:(hidden)@h"},
        {"unix://:pass@/a@b", "unix://:(hidden)@/a@b"},
        {"redis://h?password=pass&x=1", "redis://h?password=(hidden)&x=1"},
    };
    (void)state;
    clean_environment();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config c;
        struct errbuf e;
        struct buf out;
        assert_int_equal(load(&c, &e, 2, "--cache", rows[i].url), 0);
        buf_init(&out, 1u << 16);
        config_print(&c, &out);
        if (!strstr(out.data, rows[i].shown) ||
            (strstr(rows[i].url, "pass") &&
             (strstr(out.data, "pass&") || strstr(out.data, "pass@") || strstr(out.data, "s@s"))))
            fail_msg("%s", out.data);
        buf_deinit(&out);
        config_deinit(&c);
    }
}

static void test_prices_and_breakers(void **state)
{
    static const char *const bad[] = {"prices: 3\n",
                                      "prices: [{model: m, input: 1}]\n",
                                      "prices: [{model: m, input: -1, output: 1}]\n",
                                      "prices: [{model: m, input: 1, output: 1, euros: 1}]\n",
                                      "breakers: [1]\n",
                                      "breakers: {variety: 2}\n",
                                      "breakers: {loops: 2}\n"};
    struct config c;
    struct errbuf e;
    struct buf out;
    (void)state;
    clean_environment();
    char *path = write_file("prices: [{model: 'a*', provider: p, input: 0.15, output: 2}]\n"
                            "breakers: {variety: null, loop_depth: 7}\n");
    assert_int_equal(load(&c, &e, 2, "--config", path), 0);
    assert_int_equal(c.prices.count, 1);
    assert_int_equal(c.prices.rows[0].price.input, 150000);
    assert_true(c.breakers.variety == 0 && c.breakers.loop_depth == 7 &&
                c.breakers.repetition == BREAKERS_DEFAULT.repetition);
    buf_init(&out, 1u << 20);
    config_print(&c, &out);
    assert_non_null(strstr(out.data, "loop_depth: 7"));
    assert_non_null(strstr(out.data, "input: 0.15"));
    buf_deinit(&out);
    config_deinit(&c);
    unlink(path);
    for (size_t i = 0; i < ROWS(bad); i++) {
        path = write_file(bad[i]);
        assert_int_equal(load(&c, &e, 2, "--config", path), ERR_INVALID);
        config_deinit(&c);
        unlink(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_flags_win_over_environment_over_file),
        cmocka_unit_test(test_provider_of_the_environment_comes_first),
        cmocka_unit_test(test_embedding),
        cmocka_unit_test(test_embedding_refused),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_auth),
        cmocka_unit_test(test_ages),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_passwords_are_not_printed),
        cmocka_unit_test(test_prices_and_breakers),
        cmocka_unit_test(test_key_of_a_file),
        cmocka_unit_test(test_prices_of_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
