/* Exported sessions, as peers send them: any bytes are refused with a sentence, or they are what an
 * export writes; one that was live is taken up by the engine, or refused too. The last line is put
 * to right first, else nothing would ever get past its hash. */
#include "fuzz.h"

#include <string.h>

#include "app/portable.h"
#include "app/portable_fields.h"
#include "engine/expr.h"

static struct expr_vm *vm;
static struct id_source ids;

/* The bytes, and the last line that they need. */
static void fuzz_text(struct buf *out, const uint8_t *data, size_t size)
{
    char hex[65], word[32];

    buf_init(out, PORTABLE_BYTES_MAX);
    buf_append(out, data, size);
    if (size && data[size - 1] != '\n')
        buf_append_char(out, '\n');
    portable_hash(buf_str(out), hex);
    struct str text = buf_str(out);
    struct buf end;
    buf_init(&end, 4096);
    buf_append_z(&end, "{\"end\":{");
    for (int i = 0; i < PORTABLE_SECTIONS; i++) {
        long long n = 0;
        int bytes = snprintf(word, sizeof(word), "{\"%s\":", portable_sections[i].word);
        for (const char *at = text.p; at; at = memchr(at, '\n', (size_t)(text.p + text.n - at))) {
            at += *at == '\n';
            n += text.p + text.n - at > bytes && memcmp(at, word, (size_t)bytes) == 0;
            if (at == text.p + text.n)
                break;
        }
        buf_printf(&end, "\"%s\":%lld,", portable_sections[i].plural, n);
    }
    buf_printf(&end, "\"sha256\":\"%s\"}}\n", hex);
    buf_append_str(out, buf_str(&end));
    buf_deinit(&end);
}

static void fuzz_same(const struct session_whole *w, struct str text)
{
    struct errbuf e = {""};
    struct buf again;

    buf_init(&again, PORTABLE_BYTES_MAX);
    FUZZ_CHECK(portable_write(w, &again, &e) == 0);
    FUZZ_CHECK(str_eq(buf_str(&again), text));
    buf_deinit(&again);
}

static void fuzz_take_up(struct session_whole *w, struct arena *a)
{
    struct portable_live live = {0};
    struct errbuf e = {""};
    struct buf out;

    int rc = portable_take_up(&live, w, a, vm, &ids, NULL, &e);
    FUZZ_CHECK(rc == 0 || e.text[0]);
    if (rc == 0) {
        session_check(live.session);
        buf_init(&out, PORTABLE_BYTES_MAX);
        FUZZ_CHECK(portable_write(w, &out, &e) == 0);
        buf_deinit(&out);
    }
    portable_live_deinit(&live);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct session_whole w;
    struct errbuf e = {""};
    struct arena a;
    struct buf text;

    if (!vm) {
        vm = expr_vm_create();
        id_source_init_seed(&ids, 1);
    }
    arena_init(&a);
    fuzz_text(&text, data, size);
    int rc = portable_read(buf_str(&text), &a, &w, &e);
    FUZZ_CHECK(rc == 0 || e.text[0]);
    if (rc == 0) {
        fuzz_same(&w, buf_str(&text));
        rc = portable_check(&w, &e);
        FUZZ_CHECK(rc == 0 || e.text[0]);
        if (rc == 0 && !w.row.meta.stored_only && !w.row.core.ended_at)
            fuzz_take_up(&w, &a);
    }
    buf_deinit(&text);
    arena_deinit(&a);
    return 0;
}
