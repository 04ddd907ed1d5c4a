/* What stands in the body of an agent, a group or a template. Pure.
 *
 *     agent     id, name, description, category, avatar, persona, provider, model (a name, or a
 * list of names and {provider, model}), temperature, top_p, max_tokens, capabilities, tools,
 *               max_tool_rounds, memory (false, or {group_results, agent_results})
 *     group     id, name, description, category, icon, system_prompt, default_agent_ids,
 *               memory {promote: "auto" | "manual"}
 *     template  id, name, description, category, graph (a workflow without id), parameters (a JSON
 *               Schema of what `{{ param.NAME }}` stands for)
 *
 * A member that is null counts as absent. version, created_at, updated_at and system, which answers
 * have, are passed over. Sizes are in docs/LIMITS.md.
 */
#ifndef SLUICE_APP_CATALOG_BODY_H
#define SLUICE_APP_CATALOG_BODY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "store/store.h"

#define CATALOG_NAME_MAX        200
#define CATALOG_DESCRIPTION_MAX 4000
#define CATALOG_CATEGORY_MAX    64
#define CATALOG_PERSONA_MAX     (64u << 10) /* bytes; of a system_prompt, too */
#define CATALOG_AVATAR_MAX      (64u << 10)
#define CATALOG_EMOJI_MAX       32
#define CATALOG_LIST_MAX        64 /* capabilities, tools, default_agent_ids */
#define CATALOG_WORD_MAX        200
#define CATALOG_MODELS_MAX      8
#define CATALOG_RESULTS_MAX     50
#define CATALOG_PARAMETERS_MAX  (64u << 10)
#define CATALOG_GRAPH_MAX       (4u << 20)

struct catalog_body {
    struct str id, name, description, category; /* NULL: not given */
    struct str json;                            /* with known members only, in a fixed order */
    const struct str *agents;                   /* a group's */
    size_t agent_count;
};
/* text: passed json_check(). Everything of *out lies in the arena. ERR_INVALID: e names the member
 * ("default_agent_ids[2]: expected …"). */
int catalog_body_read(enum catalog_kind kind, struct str text, struct arena *a,
                      struct catalog_body *out, struct errbuf *e);
/* The columns; strings are the body's. */
void catalog_body_row(const struct catalog_body *b, struct catalog_row *row);

#endif
