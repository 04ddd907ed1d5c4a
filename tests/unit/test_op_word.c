/* Every operation has a name for the audit log, and no two the same. */
#include "net/service.h"
#include "unit.h"

#include <string.h>

static void every_operation_has_a_word(void **state)
{
    (void)state;
    for (int op = 0; op < SVC_OP_COUNT; op++) {
        const char *word = svc_op_word((enum svc_op)op);
        if (strcmp(word, "unknown") == 0)
            fail_msg("operation %d has no word", op);
        for (int other = 0; other < op; other++)
            assert_string_not_equal(word, svc_op_word((enum svc_op)other));
    }
    assert_string_equal(svc_op_word(SVC_OP_COUNT), "unknown");
    assert_string_equal(svc_op_word(SVC_SCHEDULE_RUN), "schedule_run");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_operation_has_a_word)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
