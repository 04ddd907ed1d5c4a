/* A schema and a value, divided by the first line feed. */
#include "fuzz.h"

#include <string.h>

#include "base/json.h"
#include "engine/schema.h"

static char *fuzz_copy(const uint8_t *p, size_t n)
{
    char *copy = malloc(n ? n : 1);
    memcpy(copy, p, n);
    return copy;
}

static void fuzz_hold(struct str schema_text, struct str value_text)
{
    struct errbuf e = {""}, again = {""};
    if (json_check(schema_text, NULL, &e) != 0 || json_check(value_text, NULL, &e) != 0)
        return;
    struct json schema = json_root(schema_text), value = json_root(value_text);
    e.text[0] = '\0';
    int err = schema_check(schema, &e);
    FUZZ_CHECK(err == 0 || (err == ERR_INVALID && e.text[0] == '$'));
    if (err)
        return;
    err = schema_validate(schema, value, &e);
    FUZZ_CHECK(err == 0 || (err == ERR_INVALID && e.text[0] == '$'));
    FUZZ_CHECK(schema_validate(schema, value, &again) == err);
    FUZZ_CHECK(strcmp(e.text, again.text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = memchr(data, '\n', size);
    if (!line)
        return 0;
    size_t n = (size_t)(line - data);
    char *schema = fuzz_copy(data, n), *value = fuzz_copy(line + 1, size - n - 1);
    fuzz_hold((struct str){schema, n}, (struct str){value, size - n - 1});
    free(schema);
    free(value);
    return 0;
}
