#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/utf8.h"

static void test_every_code(void **state)
{
    (void)state;
    for (int code = ERR_OK; code >= ERR_LENGTH_REQUIRED; code--) {
        const char *word = err_word(code);
        assert_non_null(word);
        assert_true(strspn(word, "abcdefghijklmnopqrstuvwxyz_") == strlen(word));
        int status = err_http_status(code);
        assert_true(code == ERR_OK ? status == 200 : status >= 400 && status < 600);
        for (int other = ERR_OK; other > code; other--)
            assert_string_not_equal(word, err_word(other));
    }
    assert_int_equal(err_http_status(ERR_NOT_FOUND), 404);
    assert_int_equal(err_http_status(ERR_UNPROCESSABLE), 422);
    assert_string_equal(err_word(ERR_NOT_FOUND), "not_found");
    assert_string_equal(err_word(ERR_LENGTH_REQUIRED - 1), "internal");
    assert_string_equal(err_word(5), "internal");
}

static void test_set(void **state)
{
    struct errbuf e;

    (void)state;
    assert_int_equal(err_set(&e, ERR_INVALID, "node %s", "x"), ERR_INVALID);
    assert_string_equal(e.text, "node x");
    /* The old sentence inside the new one. */
    assert_int_equal(err_set(&e, ERR_CONFLICT, "nodes: %s", e.text), ERR_CONFLICT);
    assert_string_equal(e.text, "nodes: node x");
    assert_int_equal(err_set(NULL, ERR_IO, "nobody"), ERR_IO);
}

static void test_cut(void **state)
{
    struct errbuf e;
    char text[1000];

    (void)state;
    /* Characters of three bytes, moved by one each time: the cut never splits one. */
    for (size_t pad = 0; pad < 3; pad++) {
        memset(text, 'x', pad);
        for (size_t i = pad; i + 3 < sizeof(text); i += 3)
            memcpy(text + i, "\xe2\x82\xac", 4);
        err_set(&e, ERR_INVALID, "%s", text);
        assert_true(strlen(e.text) >= sizeof(e.text) - 4);
        assert_true(utf8_is_valid(str_of(e.text)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
