#include "unit.h"

#include <stdlib.h>

#include "engine/model_list.h"

/* "provider/model provider/model …"; "-" where there is none. */
static void reads(const char *holder, const char *expected)
{
    struct errbuf e = {""};
    struct model_choice c;
    struct buf b;
    buf_init(&b, 4096);
    assert_int_equal(json_check(str_of(holder), NULL, &e), 0);
    for (size_t i = 0; model_list_at(json_root(str_of(holder)), i, &c); i++) {
        buf_append_z(&b, i ? " " : "");
        if (!json_string(c.provider, &b))
            buf_append_z(&b, "-");
        buf_append_z(&b, "/");
        if (!json_string(c.model, &b))
            buf_append_z(&b, "-");
    }
    assert_str(buf_str(&b), expected);
    buf_deinit(&b);
}

static void one_name(void **state)
{
    (void)state;
    reads("{}", "-/-");
    reads("{\"model\":null,\"provider\":null}", "-/-");
    reads("{\"model\":\"m\"}", "-/m");
    reads("{\"provider\":\"p\"}", "p/-");
    reads("{\"provider\":\"p\",\"model\":\"m\"}", "p/m");
    reads("[]", "-/-");
}

static void several(void **state)
{
    (void)state;
    reads("{\"model\":[\"a\",\"b\"]}", "-/a -/b");
    reads("{\"provider\":\"p\",\"model\":[\"a\",{\"model\":\"b\"},{\"provider\":\"q\"}]}",
          "p/a p/b q/-");
    reads("{\"provider\":\"p\",\"model\":[{\"provider\":\"q\",\"model\":\"a\"},\"b\"]}", "q/a p/b");
}

/* The check of workflows refuses these; a stored request may be anything. */
static void nonsense_is_not_believed(void **state)
{
    (void)state;
    reads("{\"provider\":\"p\",\"model\":[]}", "p/-");
    reads("{\"provider\":7,\"model\":8}", "-/-");
    reads("{\"model\":[7,null,[\"x\"]]}", "-/- -/- -/-");
    reads("{\"model\":[1,2,3,4,5,6,7,8,9,10]}", "-/- -/- -/- -/- -/- -/- -/- -/-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_name),
        cmocka_unit_test(several),
        cmocka_unit_test(nonsense_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
