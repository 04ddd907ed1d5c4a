/* What is packed comes back; and what was never packed by us harms nobody. */
#include <assert.h>
#include <string.h>

#include "base/pack.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct packer *packer;
    struct str text = {(const char *)data, size}, back;
    struct arena a;

    if (!packer)
        packer = packer_create();
    arena_init(&a);
    if (unpack(text, &a, &back) == 0)
        assert(back.n > 0 && back.n <= PACK_TEXT_MAX && back.p[back.n] == '\0');
    struct str packed = pack(packer, text, &a);
    if (packed.p) {
        assert(packed.n < size && unpack(packed, &a, &back) == 0);
        assert(back.n == size && memcmp(back.p, data, size) == 0);
    }
    arena_deinit(&a);
    return 0;
}
