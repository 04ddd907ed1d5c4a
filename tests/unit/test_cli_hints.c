#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/find.h"
#include "cli/lang.h"

static struct client client;
static char *text;
static size_t text_len;

static int begin(void **state)
{
    (void)state;
    client = (struct client){.out = {.file = open_memstream(&text, &text_len)}};
    return 0;
}

static int end(void **state)
{
    (void)state;
    lang_set(LANG_EN);
    free(text);
    text = NULL;
    return 0;
}

static const char *printed(void)
{
    fclose(client.out.file);
    return text;
}

static void test_the_title_stands_once(void **state)
{
    (void)state;
    hint_print(&client, "why", "sluice session show %s", "x");
    hint_print(&client, "", "sluice flow list");
    assert_string_equal(printed(), "\nnext:\n  sluice session show x  # why\n  sluice flow list\n");
}

static void test_none_for_programs(void **state)
{
    (void)state;
    client.json = true;
    hint_print(&client, "why", "sluice flow list");
    assert_string_equal(printed(), "");
}

static void test_names_of_files_are_quoted(void **state)
{
    (void)state;
    client.bare = true;
    hint_file(&client, "", "sluice run", "a/plain_one-2.yaml");
    hint_file(&client, "", "sluice run", "two words.yaml");
    hint_file(&client, "", "sluice run", "it's; rm -rf $HOME `x`.yaml");
    assert_string_equal(printed(), "next:\n"
                                   "  sluice run a/plain_one-2.yaml\n"
                                   "  sluice run 'two words.yaml'\n"
                                   "  sluice run 'it'\\''s; rm -rf $HOME `x`.yaml'\n");
}

static const char answer[] =
    "{\"commands\":[{\"command\":\"sluice stage item 1 'a b'\",\"why\":\"tick off the next item\"},"
    "{\"command\":\"sluice\\u001b[2J\\nx\",\"why\":\"a reason of a later server\"}]}";

static void test_what_the_server_says(void **state)
{
    (void)state;
    client.bare = true;
    lang_set(LANG_ZH);
    hints_tell(&client, json_root(str_of(answer)));
    /* Reasons that are known are translated; control characters are not shown. */
    assert_string_equal(printed(), "接下来：\n"
                                   "  sluice stage item 1 'a b'  # 勾选下一项\n"
                                   "  sluice[2J x  # a reason of a later server\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_title_stands_once, begin, end),
        cmocka_unit_test_setup_teardown(test_none_for_programs, begin, end),
        cmocka_unit_test_setup_teardown(test_names_of_files_are_quoted, begin, end),
        cmocka_unit_test_setup_teardown(test_what_the_server_says, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
