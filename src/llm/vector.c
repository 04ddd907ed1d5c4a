#include "llm/vector.h"

#include <math.h>

bool vector_normalise(float *v, size_t dimensions)
{
    double sum = 0;
    for (size_t i = 0; i < dimensions; i++)
        sum += (double)v[i] * (double)v[i];
    if (!isfinite(sum) || sum <= 0)
        return false;
    double scale = 1 / sqrt(sum);
    for (size_t i = 0; i < dimensions; i++)
        v[i] = (float)((double)v[i] * scale);
    return true;
}
