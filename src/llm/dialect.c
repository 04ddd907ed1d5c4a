#include "llm/dialect.h"

#include <stdlib.h>

const struct dialect *dialect_of(enum llm_dialect dialect)
{
    switch (dialect) {
    case LLM_OPENAI:
        return &openai_dialect;
    case LLM_ANTHROPIC:
        return &anthropic_dialect;
    case LLM_DEMO:
        break;
    }
    abort();
}
