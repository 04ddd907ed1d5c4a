#include "unit.h"

#include <stdlib.h>

#include "engine/persona.h"

static struct json list(const char *text)
{
    return text ? json_root(str_of(text)) : JSON_ABSENT;
}

static void expect_text(struct persona p, const char *wanted)
{
    struct buf b;
    buf_init(&b, 4096);
    persona_write(&b, &p);
    assert_int_equal(buf_error(&b), 0);
    assert_str(buf_str(&b), wanted);
    buf_deinit(&b);
}

#define GROUP                                                                                      \
    "[{\"id\":\"1\",\"content\":\"The last plan\\nwas too dear.\",\"created_at\":"                 \
    "\"2026-01-31T10:00:00.000Z\",\"score\":0.5},{\"content\":\"# A heading\"}]"
#define SELF "[{\"content\":\"Ask for the price.\",\"created_at\":\"2026-01-30T10:00:00.000Z\"}]"

static void the_whole_text(void **state)
{
    (void)state;
    expect_text((struct persona){.group = STR("We review plans."),
                                 .self = STR("You are careful."),
                                 .group_memory = list(GROUP),
                                 .self_memory = list(SELF)},
                "## The group\n\n"
                "We review plans.\n\n"
                "## Who you are\n\n"
                "You are careful.\n\n"
                "## What the group remembers\n\n"
                "- (2026-01-31) The last plan\n"
                "  was too dear.\n"
                "- # A heading\n\n"
                "## What you remember\n\n"
                "- (2026-01-30) Ask for the price.");
}

static void what_is_not_there_is_left_out(void **state)
{
    (void)state;
    expect_text((struct persona){.self = STR("You are careful.")}, "You are careful.");
    expect_text((struct persona){.group = STR("We review plans.")}, "We review plans.");
    expect_text((struct persona){.self = STR("I."), .self_memory = list("[]")}, "I.");
    expect_text((struct persona){.self = STR("I."), .group_memory = list(SELF)},
                "## Who you are\n\nI.\n\n"
                "## What the group remembers\n\n- (2026-01-30) Ask for the price.");
    expect_text((struct persona){.self_memory = list(SELF)},
                "## What you remember\n\n- (2026-01-30) Ask for the price.");
    expect_text((struct persona){.group = STR("")}, "");
}

/* Whatever the store gives. */
static void odd_memories(void **state)
{
    (void)state;
    expect_text((struct persona){.self_memory = list("[1,null,{\"content\":2},{\"content\":\"\","
                                                     "\"created_at\":\"x\"},[]]")},
                "## What you remember\n\n- ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_text),
        cmocka_unit_test(what_is_not_there_is_left_out),
        cmocka_unit_test(odd_memories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
