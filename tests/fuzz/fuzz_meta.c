/* What programs send to be kept with a session: any bytes are refused or merged, and what was
 * merged reads back, holds to its limits, and is left as it is by an empty patch. The two halves of
 * the input are what is there and what changes it. */
#include "fuzz.h"

#include <string.h>

#include "base/json.h"
#include "base/json_canonical.h"
#include "engine/meta.h"

static void check_out(const struct session_meta *m, struct str status)
{
    const struct str objects[] = {m->metadata_json, m->settings_json, m->thread_configs_json,
                                  m->workflow_state_json};
    char sum[JSON_CHECKSUM_BYTES + 1];

    for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        FUZZ_CHECK(json_check(objects[i], NULL, NULL) == 0);
        FUZZ_CHECK(json_type(json_root(objects[i])) == JSON_OBJECT);
        FUZZ_CHECK(objects[i].n <= META_BYTES_MAX);
        json_checksum(objects[i], sum);
        FUZZ_CHECK(strlen(sum) == JSON_CHECKSUM_BYTES);
    }
    FUZZ_CHECK(json_check(m->tags_json, NULL, NULL) == 0);
    FUZZ_CHECK(json_length(json_root(m->tags_json)) <= META_TAGS_MAX);
    FUZZ_CHECK(m->name.n <= META_NAME_MAX && status.n > 0 && status.n <= META_STATUS_MAX);
}

static void try_both(struct str now, struct str patch, bool stored)
{
    struct session_meta none = {.stored_only = true}, meta, out, same;
    struct str status = STR("running"), moved;
    struct errbuf e = {""};
    struct arena a;

    arena_init(&a);
    const struct meta_change put = {now, true}, change = {patch, false};
    if (meta_apply(&a, &none, status, &put, &meta, &moved, &e) == 0) {
        check_out(&meta, moved);
        meta.stored_only = stored;
        status = moved;
        int rc = meta_apply(&a, &meta, status, &change, &out, &moved, &e);
        FUZZ_CHECK(rc == 0 || (e.text[0] && (rc == ERR_INVALID || rc == ERR_TOO_LARGE ||
                                             (rc == ERR_CONFLICT && !stored))));
        if (rc == 0) {
            const struct meta_change nothing = {STR("{}"), false};
            check_out(&out, moved);
            FUZZ_CHECK(meta_apply(&a, &out, moved, &nothing, &same, &status, &e) == 0);
            FUZZ_CHECK(json_eq(json_root(same.metadata_json), json_root(out.metadata_json)));
            FUZZ_CHECK(str_eq(status, moved));
        }
    }
    arena_deinit(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *cut = size ? memchr(text, '\n', size) : NULL;
    struct str now = {text, cut ? (size_t)(cut - text) : size};
    struct str patch = cut ? (struct str){cut + 1, size - now.n - 1} : STR("{}");

    if (json_check(now, NULL, NULL) || json_check(patch, NULL, NULL))
        return 0; /* net refuses it */
    try_both(now, patch, true);
    try_both(now, patch, false);
    return 0;
}
