/* Requests for vectors, behind llm_embed_start(): each provider has a few slots of its own for
 * them, apart from its calls; those that wait take turns by whose they are.
 *
 *     start ─> waiting ─(slot)─> posting, a batch at a time ─> ended ─(next turn)─> on_done
 *                           └─ demo: at once ────────────────^
 *
 * Private to src/llm.
 */
#ifndef SLUICE_LLM_EMBED_H
#define SLUICE_LLM_EMBED_H

#include "llm/backend.h"

#define EMBED_SLOTS       8  /* of one provider, and at most its max_concurrent */
#define EMBED_BATCH_TEXTS 32 /* of one POST; some servers take no more */

struct uv_loop_s;
struct embedder;

int embedder_open(struct embedder **out, struct uv_loop_s *loop, struct llm *llm,
                  size_t provider_count, struct errbuf *e);
/* All are done or cancelled. */
void embedder_close(struct embedder *em, void (*closed)(void *data), void *data);
/* As llm_embed_start(), of a provider that is known. */
int embedder_start(struct embedder *em, size_t provider, struct llm_embed *c, struct errbuf *e);

#endif
