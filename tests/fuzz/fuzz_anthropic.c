/* The bytes of a server of dialect anthropic. */
#include "fuzz_dialect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_dialect(&anthropic_dialect, data, size);
    return 0;
}
