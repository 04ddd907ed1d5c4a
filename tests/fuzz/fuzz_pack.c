/* What is packed comes back; and what was never packed by us harms nobody. */
#include <assert.h>
#include <string.h>

#include "base/pack.h"
#include "fuzz.h"

static void comes_back(struct str packed, struct str text, struct arena *a)
{
    struct str back;

    if (!packed.p)
        return;
    assert(packed.n < text.n && unpack(packed, a, &back) == 0);
    assert(back.n == text.n && memcmp(back.p, text.p, back.n) == 0);
}

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
    comes_back(pack(packer, text, &a), text, &a);
    comes_back(pack_quickly(packer, text, &a), text, &a);
    comes_back(pack_marked(packer, text, &a), text, &a);
    arena_deinit(&a);
    return 0;
}
