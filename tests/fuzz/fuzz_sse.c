/* The bytes of a server of dialect openai. */
#include "fuzz_dialect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_dialect(&openai_dialect, data, size);
    return 0;
}
