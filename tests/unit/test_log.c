#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"

/* What was written to standard error since log_begin(), which must be put back before any assert
 * writes to it. */
static FILE *log_file;
static int log_saved;

static void log_begin(void)
{
    log_file = tmpfile();
    assert_non_null(log_file);
    log_saved = dup(STDERR_FILENO);
    dup2(fileno(log_file), STDERR_FILENO);
}

static char *log_end(void)
{
    static char text[20000];

    dup2(log_saved, STDERR_FILENO);
    close(log_saved);
    rewind(log_file);
    text[fread(text, 1, sizeof(text) - 1, log_file)] = '\0';
    fclose(log_file);
    return text;
}

static void test_text(void **state)
{
    (void)state;
    log_configure(LOG_INFO, 0);
    log_begin();
    log_debug("x", "not shown");
    log_warn("store", "it's \"%s\" path=%s", "a\nb\x1b[31m\xc2\x9b\xff", "C:\\");
    char *line = log_end();
    assert_int_equal(line[10], 'T');
    assert_string_equal(line + 24, " WARN store: it's \"a\\nb\\u001b[31m\\u009b\xef\xbf\xbd\" "
                                   "path=C:\\\n");
}

static void test_json(void **state)
{
    (void)state;
    log_configure(LOG_DEBUG, 1);
    log_begin();
    log_debug("net", "say \"%s\" \\ %s", "hi\x01\n", "\xe2\x82\xac");
    char *line = log_end();
    struct str text = str_of(line);
    assert_int_equal(json_check(text, NULL, NULL), 0);
    assert_true(json_string_eq(json_get(json_root(text), "level"), "DEBUG"));
    assert_true(json_string_eq(json_get(json_root(text), "area"), "net"));
    assert_true(
        json_string_eq(json_get(json_root(text), "text"), "say \"hi\x01\n\" \\ \xe2\x82\xac"));
}

/* However long, and however much escapes grow it: one line, and in JSON a valid one. */
static void test_long(void **state)
{
    static char big[10000];

    (void)state;
    memset(big, '\x01', sizeof(big) - 1);
    for (int as_json = 0; as_json < 2; as_json++) {
        log_configure(LOG_INFO, as_json);
        log_begin();
        log_error("x", "%s", big);
        char *line = log_end();
        assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
        if (as_json)
            assert_int_equal(json_check(str_of(line), NULL, NULL), 0);
    }
    log_configure(LOG_INFO, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
