/* What a run of a workflow will probably cost, from its graph alone. Pure; nothing is asked.
 *
 * How often a node runs: once, times max_rounds of every loop whose body it is in, times the items
 * of every map it is in (counted when `items` can be computed from the input, else ITEMS_ASSUMED).
 * Of the ways of a switch or a review the one that is taken is counted when the input tells, else
 * the dearest. Retries, failures and reviews that send back are not counted; warnings say so.
 *
 * Tokens: a prompt is rendered with the input as far as that goes; outputs that are not known yet
 * stand for as many tokens as they are estimated to have. A token is four bytes of ASCII or one
 * other character. An answer has max_tokens if the node says so, else OUTPUT_TOKENS_ASSUMED.
 */
#ifndef SLUICE_ENGINE_WORKFLOW_ESTIMATE_H
#define SLUICE_ENGINE_WORKFLOW_ESTIMATE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/json.h"
#include "engine/expr.h"
#include "engine/rules.h"
#include "engine/workflow.h"

#define ESTIMATE_ITEMS_ASSUMED         10
#define ESTIMATE_OUTPUT_TOKENS_ASSUMED 300
#define ESTIMATE_TOKENS_PER_S          50.0 /* of a model's answer */
#define ESTIMATE_CALL_S                0.6  /* until its first token */

struct estimate_params {
    struct expr_vm *vm;
    struct str input_json;            /* object; NULL: made up from the input_schema */
    const struct engine_rules *rules; /* for prices; NULL: none is known */
    /* The stored agent of that id, as JSON that lasts until the end, or absent; NULL: none. */
    struct json (*agent)(void *data, struct str id);
    void *agent_data;
};

/* Appends {tokens:{input,output,total}, cost_usd, seconds, nodes:[{node_id, runs, calls, tokens,
 * cost_usd}], agents:[{agent_id, runs, tokens, cost_usd}], warnings:[{node_id?, code, message}]}.
 * cost_usd is null where a price is not known. Errors stick in the buf. */
void workflow_estimate_write(const struct workflow *w, const struct estimate_params *p,
                             struct buf *out);

#endif
