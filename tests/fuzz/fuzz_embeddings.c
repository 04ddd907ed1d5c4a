/* The answer of a server to a request for vectors. The first byte: how many texts were sent, and
 * how many numbers are wanted. What is taken has the promised shape and length 1. */
#include "fuzz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "llm/llm.h"
#include "llm/vector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct openai_vectors v = {.count = 1 + data[0] % 4, .dimensions = data[0] / 4 % 4};
    unsigned wanted = v.dimensions;
    struct errbuf e = {""};
    char *copy = malloc(size); /* exactly as long: a byte too far is seen */
    memcpy(copy, data + 1, size - 1);
    int rc = openai_embed_decode((struct str){copy, size - 1}, &v, &e);
    free(copy);
    FUZZ_CHECK(rc == 0 || (v.values == NULL && e.text[0]));
    if (rc)
        return 0;
    FUZZ_CHECK(v.dimensions > 0 && v.dimensions <= LLM_EMBED_DIMENSIONS_MAX);
    FUZZ_CHECK((!wanted || v.dimensions == wanted) && v.tokens >= -1);
    for (size_t i = 0; i < v.count; i++) {
        double sum = 0;
        for (size_t k = 0; k < v.dimensions; k++) {
            double x = (double)v.values[i * v.dimensions + k];
            sum += x * x;
        }
        FUZZ_CHECK(fabs(sum - 1) < 1e-3);
    }
    free(v.values);
    return 0;
}
