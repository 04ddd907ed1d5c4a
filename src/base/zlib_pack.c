#include <assert.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/mem.h"
#include "base/pack_form.h"

#define WINDOW_BITS 13
#define MEMORY      5 /* zlib's memLevel: 48 kB with this window */
#define LEVEL       9
_Static_assert(PACK_DICTIONARY_MAX < (1u << WINDOW_BITS), "all of it is within reach");

struct zlib_form {
    z_stream deflate;
};

static void *zlib_alloc(void *unused, uInt count, uInt size)
{
    (void)unused;
    return mem_calloc(count, size);
}

static void zlib_free(void *unused, void *p)
{
    (void)unused;
    free(p);
}

struct zlib_form *zlib_form_create(void)
{
    struct zlib_form *f = mem_zalloc(sizeof(*f));

    f->deflate.zalloc = zlib_alloc;
    f->deflate.zfree = zlib_free;
    int code =
        deflateInit2(&f->deflate, LEVEL, Z_DEFLATED, -WINDOW_BITS, MEMORY, Z_DEFAULT_STRATEGY);
    assert(code == Z_OK);
    (void)code;
    return f;
}

void zlib_form_destroy(struct zlib_form *f)
{
    deflateEnd(&f->deflate);
    free(f);
}

size_t zlib_form_write(struct zlib_form *f, struct str plain, char *out, size_t room)
{
    z_stream *z = &f->deflate;

    if (deflateReset(z) != Z_OK ||
        deflateSetDictionary(z, (const Bytef *)pack_dictionary.p, (uInt)pack_dictionary.n) != Z_OK)
        return 0;
    z->next_in = (Bytef *)plain.p;
    z->avail_in = (uInt)plain.n;
    z->next_out = (Bytef *)out;
    z->avail_out = (uInt)room;
    return deflate(z, Z_FINISH) == Z_STREAM_END ? room - z->avail_out : 0;
}

bool zlib_form_read(struct str packed, char *plain, size_t n)
{
    z_stream z = {.next_in = (Bytef *)packed.p,
                  .avail_in = (uInt)packed.n,
                  .next_out = (Bytef *)plain,
                  .avail_out = (uInt)n,
                  .zalloc = zlib_alloc,
                  .zfree = zlib_free};

    int code = inflateInit2(&z, -WINDOW_BITS);
    assert(code == Z_OK);
    (void)code;
    bool whole = inflateSetDictionary(&z, (const Bytef *)pack_dictionary.p,
                                      (uInt)pack_dictionary.n) == Z_OK &&
                 inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_out == 0 && z.avail_in == 0;
    inflateEnd(&z);
    return whole;
}
