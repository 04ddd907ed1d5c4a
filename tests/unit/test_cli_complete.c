#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/complete.h"

static char *given; /* the candidates, with spaces between */
static size_t given_len;
static FILE *to;

static void take(void *data, const char *word, const char *about)
{
    (void)data;
    (void)about;
    fprintf(to, "%s ", word);
}

static void objects(void *data, const char *kind, complete_cb *give, void *give_to)
{
    (void)data;
    give(give_to, kind, "");
    give(give_to, "Other", "");
}

/* Words separated by single spaces; a space at the end: a new word is begun. */
static bool complete(const char *line)
{
    static char text[512];
    static const char *words[64];
    int n = 0;
    snprintf(text, sizeof(text), "%s", line);
    for (char *p = text; p; n++) {
        words[n] = p;
        p = strchr(p, ' ');
        if (p)
            *p++ = 0;
    }
    free(given);
    to = open_memstream(&given, &given_len);
    bool files = complete_words(n, words, objects, take, NULL);
    fclose(to);
    return files;
}

static void test_what_may_stand_there(void **state)
{
    static const struct {
        const char *line, *expected;
        bool files;
    } rows[] = {
        {"ses", "session ", false},
        {"session sw", "switch ", false},
        {"flow session sw", "switch ", false}, /* as it was called elsewhere */
        {"session list --st", "--status ", false},
        {"session list --status p", "pending paused ", false},
        {"session list --status=p", "pending paused ", false},
        {"review list --status a", "answered all ", false},
        {"session show ", "session Other ", false},
        {"session show --nodes O", "Other ", false}, /* in any case */
        {"session show o", "Other ", false},
        {"session show one ", "", false}, /* it takes one word */
        {"--lang zh session sw", "switch ", false},
        {"--lang ", "en zh ", false},
        {"--se", "--server ", false},
        {"flow diagram ", "workflow Other ", true},
        {"flow diagram --format d", "dot ", false},
        {"flow export w --format ", "yaml json ", false},
        {"flow update wf ", "", true},
        {"flow run ", "workflow Other ", false},
        {"flow run --session ", "session Other ", false},
        {"run fi", "", true},
        {"run x --attach ", "", true},
        {"agent show a", "agent ", false},
        {"memory query ", "group Other ", false},
        {"stage complete ", "stage Other ", false},
        {"session list --workflow w", "workflow ", false},
        {"schedule run ", "schedule Other ", false},
        {"schedule create wo", "workflow ", false},
        {"flow export w --as ", "native staged ", false},
        {"webhook show ", "webhook Other ", false},
        {"status set x on", "ON_HOLD ", false},
        {"status list --status c", "COMPLETED CANCELED ", false},
        {"dance ", "", false},
        {"session dance ", "", false},
        {"session list --limit ", "", false},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        assert_int_equal(complete(rows[i].line), rows[i].files);
        if (strcmp(given, rows[i].expected) != 0)
            print_error("%s\n", rows[i].line);
        assert_string_equal(given, rows[i].expected);
    }
}

static void test_nothing_typed_gives_all_commands(void **state)
{
    (void)state;
    complete("");
    assert_non_null(strstr(given, "run "));
    assert_non_null(strstr(given, "session "));
    assert_non_null(strstr(given, "serve "));
    assert_null(strstr(given, "--"));
    assert_false(complete_words(0, NULL, objects, take, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_may_stand_there),
        cmocka_unit_test(test_nothing_typed_gives_all_commands),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    free(given);
    return rc;
}
