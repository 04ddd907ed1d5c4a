/* YAML in, JSON out: what comes out must pass the check, and a failure changes nothing. */
#include "fuzz.h"

#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct json_limits limits = {.bytes_max = 1 << 17};
    struct errbuf e = {""};
    struct buf out;

    buf_init(&out, 1 << 18);
    buf_append_z(&out, "kept");
    int rv = yaml_to_json((struct str){(const char *)data, size}, &limits, &out, &e);
    if (rv != 0) {
        FUZZ_CHECK(e.text[0]);
        FUZZ_CHECK(str_eqz(buf_str(&out), "kept"));
    } else {
        buf_consume(&out, 4);
        FUZZ_CHECK(json_check(buf_str(&out), &limits, NULL) == 0);
    }
    buf_deinit(&out);
    return 0;
}
