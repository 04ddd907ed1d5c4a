#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static void test_reads_whole_files(void **state)
{
    char path[] = "/tmp/sluice-file-XXXXXX";
    struct buf out;
    struct errbuf e;
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (int i = 0; i < 40000; i++)
        assert_int_equal(write(fd, "ab", 2), 2);
    close(fd);
    buf_init(&out, 1u << 20);
    assert_int_equal(file_append(path, &out, &e), 0);
    assert_int_equal(out.len, 80000);
    assert_int_equal(out.data[79999], 'b');
    buf_deinit(&out);
    buf_init(&out, 1000);
    assert_int_equal(file_append(path, &out, &e), ERR_TOO_LARGE);
    assert_non_null(strstr(e.text, "is larger than 1000 bytes"));
    buf_deinit(&out);
    unlink(path);
    buf_init(&out, 1000);
    assert_int_equal(file_append(path, &out, &e), ERR_NOT_FOUND);
    assert_int_equal(file_append("/", &out, &e), ERR_IO);
    assert_non_null(strstr(e.text, "/: "));
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reads_whole_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
