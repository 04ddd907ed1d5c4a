#include "engine/workflow_private.h"

#define YEAR_MS      WAIT_MS_MAX
#define TOKENS_MAX   10000000
#define SCRIPT_BYTES (1024.0 * 1024 * 1024)

static const char *const review_types[] = {"approve_reject", "edit_content", "form", NULL};
static const char *const tool_errors[] = {"tell", "fail", NULL};
static const char *const timeout_actions[] = {"fail", "skip", "route", NULL};

static const char *const item_errors[] = {"fail", "null", "drop", NULL};

static const struct prop_def end_props[] = {
    {.name = "output", .type = PROP_EXPRS},
    {.name = "prompt", .type = PROP_TEMPLATE},
    {.name = "system", .type = PROP_TEMPLATE},
    {.name = "provider", .type = PROP_NAME},
    {.name = "model", .type = PROP_MODEL},
    {.name = "temperature", .type = PROP_NUMBER, .max = 2},
    {.name = "top_p", .type = PROP_NUMBER, .max = 1},
    {.name = "max_tokens", .type = PROP_INT, .min = 1, .max = TOKENS_MAX},
};

static const struct prop_def llm_props[] = {
    {.name = "prompt", .type = PROP_TEMPLATE},
    {.name = "messages", .type = PROP_MESSAGES},
    {.name = "system", .type = PROP_TEMPLATE},
    {.name = "provider", .type = PROP_NAME},
    {.name = "model", .type = PROP_MODEL},
    {.name = "temperature", .type = PROP_NUMBER, .max = 2},
    {.name = "top_p", .type = PROP_NUMBER, .max = 1},
    {.name = "max_tokens", .type = PROP_INT, .min = 1, .max = TOKENS_MAX},
    {.name = "response_schema", .type = PROP_SCHEMA},
    {.name = "repair_attempts", .type = PROP_INT, .max = 5},
    {.name = "tools", .type = PROP_TOOLS},
    {.name = "max_tool_rounds", .type = PROP_INT, .min = 1, .max = 50},
    {.name = "on_tool_error", .type = PROP_WORD, .words = tool_errors},
};

static const struct prop_def agent_props[] = {
    {.name = "agent", .type = PROP_AGENT},
    {.name = "agent_id", .type = PROP_NAME},
    {.name = "name", .type = PROP_STRING},
    {.name = "persona", .type = PROP_TEMPLATE},
    {.name = "prompt", .type = PROP_TEMPLATE},
    {.name = "provider", .type = PROP_NAME},
    {.name = "model", .type = PROP_MODEL},
    {.name = "temperature", .type = PROP_NUMBER, .max = 2},
    {.name = "top_p", .type = PROP_NUMBER, .max = 1},
    {.name = "max_tokens", .type = PROP_INT, .min = 1, .max = TOKENS_MAX},
    {.name = "response_schema", .type = PROP_SCHEMA},
    {.name = "repair_attempts", .type = PROP_INT, .max = 5},
    {.name = "tools", .type = PROP_TOOLS},
    {.name = "max_tool_rounds", .type = PROP_INT, .min = 1, .max = 50},
    {.name = "on_tool_error", .type = PROP_WORD, .words = tool_errors},
    {.name = "memory", .type = PROP_MEMORY},
};

static const struct prop_def transform_props[] = {
    {.name = "vars", .type = PROP_EXPR_MAP},
    {.name = "output", .type = PROP_EXPRS},
};

static const struct prop_def switch_props[] = {
    {.name = "cases", .type = PROP_CASES, .required = true},
    {.name = "default", .type = PROP_NODE},
};

static const struct prop_def parallel_props[] = {
    {.name = "max_concurrent", .type = PROP_INT, .min = 1, .max = WORKFLOW_NODES_MAX},
};

static const struct prop_def loop_props[] = {
    {.name = "max_rounds", .type = PROP_INT, .required = true, .min = 1, .max = 1000},
    {.name = "exit_when", .type = PROP_EXPR},
    {.name = "score", .type = PROP_EXPR},
    {.name = "exit_on_score", .type = PROP_NUMBER, .min = -1e9, .max = 1e9},
    {.name = "regression_delta", .type = PROP_NUMBER, .max = 1e9},
    {.name = "stagnation_rounds", .type = PROP_INT, .min = 1, .max = 1000},
    {.name = "rollback", .type = PROP_BOOL},
};

static const struct prop_def review_props[] = {
    {.name = "review_type", .type = PROP_WORD, .words = review_types},
    {.name = "prompt", .type = PROP_TEMPLATE},
    {.name = "draft", .type = PROP_TEMPLATE},
    {.name = "form_schema", .type = PROP_SCHEMA},
    {.name = "actions", .type = PROP_NAMES},
    {.name = "allow_skip", .type = PROP_BOOL},
    {.name = "timeout_minutes", .type = PROP_NUMBER, .min = 0.001, .max = 525600},
    {.name = "on_timeout", .type = PROP_WORD, .words = timeout_actions},
    {.name = "reminder_minutes", .type = PROP_NUMBER, .min = 0.001, .max = 525600},
    {.name = "reminders", .type = PROP_INT, .min = 1, .max = 100},
    {.name = "reviewers", .type = PROP_TEXTS},
    {.name = "quorum", .type = PROP_INT, .min = 1, .max = 50},
    {.name = "reject_quorum", .type = PROP_INT, .min = 1, .max = 50},
};

static const struct prop_def input_props[] = {
    {.name = "prompt", .type = PROP_TEMPLATE},
    {.name = "form_schema", .type = PROP_SCHEMA},
};

static const struct prop_def wait_props[] = {
    {.name = "duration_ms", .type = PROP_INT, .min = 0, .max = YEAR_MS},
    {.name = "until", .type = PROP_TIME},
};

static const struct prop_def script_props[] = {
    {.name = "code", .type = PROP_CODE, .required = true},
    {.name = "timeout_ms", .type = PROP_INT, .min = 1, .max = YEAR_MS},
    {.name = "memory_bytes_max", .type = PROP_INT, .min = 65536, .max = SCRIPT_BYTES},
};

static const struct prop_def tool_props[] = {
    {.name = "tool", .type = PROP_NAME, .required = true},
    {.name = "arguments", .type = PROP_TEMPLATES},
    {.name = "server", .type = PROP_NAME},
    {.name = "name", .type = PROP_STRING},
};

static const struct prop_def signal_props[] = {
    {.name = "name", .type = PROP_TEMPLATE},
    {.name = "timeout_ms", .type = PROP_INT, .min = 1, .max = YEAR_MS},
};

static const struct prop_def stage_props[] = {
    {.name = "name", .type = PROP_STRING},
    {.name = "description", .type = PROP_TEMPLATE},
    {.name = "checklist", .type = PROP_ENTRIES},
    {.name = "deliverables", .type = PROP_ENTRIES},
    {.name = "depends_on", .type = PROP_NAMES},
    {.name = "estimated_minutes", .type = PROP_NUMBER, .max = 525600},
    {.name = "weight", .type = PROP_NUMBER, .max = 1e9},
    {.name = "order", .type = PROP_NUMBER, .min = -1e9, .max = 1e9},
    {.name = "condition", .type = PROP_EXPR},
    {.name = "allow_skip", .type = PROP_BOOL},
};

static const struct prop_def task_props[] = {
    {.name = "queue", .type = PROP_NAME, .required = true},
    {.name = "input", .type = PROP_EXPRS},
    {.name = "heartbeat_ms", .type = PROP_INT, .min = 1000, .max = 3600000},
};

static const struct prop_def map_props[] = {
    {.name = "items", .type = PROP_EXPR, .required = true},
    {.name = "body", .type = PROP_MEMBERS, .required = true},
    {.name = "max_concurrent", .type = PROP_INT, .min = 1, .max = 1000},
    {.name = "on_item_error", .type = PROP_WORD, .words = item_errors},
};

static const struct prop_def sequence_props[] = {
    {.name = "steps", .type = PROP_MEMBERS, .required = true},
};

static const char *const vote_types[] = {"yes_no", "score_1_10", NULL};
static const struct prop_def vote_props[] = {
    {.name = "voters", .type = PROP_VOTERS, .required = true},
    {.name = "question", .type = PROP_TEMPLATE},
    {.name = "vote_type", .type = PROP_WORD, .words = vote_types},
    {.name = "threshold", .type = PROP_NUMBER, .max = 10},
    {.name = "quorum", .type = PROP_INT, .min = 1, .max = PROP_VOTERS_MAX},
    {.name = "memory", .type = PROP_MEMORY},
    {.name = "provider", .type = PROP_NAME},
    {.name = "model", .type = PROP_MODEL},
    {.name = "temperature", .type = PROP_NUMBER, .max = 2},
    {.name = "max_tokens", .type = PROP_INT, .min = 1, .max = TOKENS_MAX},
};

static const struct prop_def fact_props[] = {
    {.name = "text", .type = PROP_TEMPLATE},
    {.name = "prompt", .type = PROP_TEMPLATE},
    {.name = "search_sources", .type = PROP_NAMES},
    {.name = "max_queries", .type = PROP_INT, .max = 12},
    {.name = "max_claims", .type = PROP_INT, .min = 1, .max = 50},
    {.name = "verify_threshold", .type = PROP_NUMBER, .max = 1},
    {.name = "provider", .type = PROP_NAME},
    {.name = "model", .type = PROP_MODEL},
    {.name = "temperature", .type = PROP_NUMBER, .max = 2},
    {.name = "max_tokens", .type = PROP_INT, .min = 1, .max = TOKENS_MAX},
};

static const struct prop_def synth_props[] = {
    {.name = "max_recent_rounds", .type = PROP_INT, .min = 0, .max = 1000},
    {.name = "prompt", .type = PROP_TEMPLATE},
    {.name = "provider", .type = PROP_NAME},
    {.name = "model", .type = PROP_MODEL},
    {.name = "temperature", .type = PROP_NUMBER, .max = 2},
    {.name = "max_tokens", .type = PROP_INT, .min = 1, .max = TOKENS_MAX},
};

static const struct prop_def memory_props[] = {
    {.name = "query", .type = PROP_TEMPLATE},
    {.name = "group_id", .type = PROP_TEMPLATE},
    {.name = "agent_id", .type = PROP_TEMPLATE},
    {.name = "max_results", .type = PROP_INT, .min = 1, .max = 100},
    {.name = "time_range_days", .type = PROP_NUMBER, .max = 36500},
    {.name = "relevance_threshold", .type = PROP_NUMBER, .max = 1},
};

static const struct prop_def subworkflow_props[] = {
    {.name = "workflow_id", .type = PROP_NAME, .required = true},
    {.name = "version", .type = PROP_INT, .min = 1, .max = 1e9},
    {.name = "input", .type = PROP_EXPRS},
};

#define PROPS(table) .props = (table), .prop_count = sizeof(table) / sizeof((table)[0])

static const struct kind_def kinds[KIND_COUNT] = {
    [KIND_START] = {.word = "start", .article = "a", .takes_next = true},
    [KIND_END] = {.word = "end", .article = "an", PROPS(end_props)},
    [KIND_LLM] = {.word = "llm",
                  .article = "an",
                  PROPS(llm_props),
                  .takes_next = true,
                  .either = {"prompt", "messages"},
                  .either_only = true},
    [KIND_AGENT] = {.word = "agent", .article = "an", PROPS(agent_props), .takes_next = true},
    [KIND_TRANSFORM] = {.word = "transform",
                        .article = "a",
                        PROPS(transform_props),
                        .either = {"output", "vars"},
                        .takes_next = true},
    [KIND_SWITCH] = {.word = "switch", .article = "a", PROPS(switch_props)},
    [KIND_PARALLEL] = {.word = "parallel",
                       .article = "a",
                       PROPS(parallel_props),
                       .next_min = 1,
                       .takes_next = true},
    [KIND_LOOP] = {.word = "loop",
                   .article = "a",
                   PROPS(loop_props),
                   .takes_next = true,
                   .next_min = 2,
                   .next_max = 2},
    [KIND_HUMAN_REVIEW] = {.word = "human_review",
                           .article = "a",
                           PROPS(review_props),
                           .decides = true,
                           .takes_next = true,
                           .breaks_cycles = true},
    [KIND_USER_INPUT] = {.word = "user_input",
                         .article = "a",
                         PROPS(input_props),
                         .takes_next = true,
                         .breaks_cycles = true},
    [KIND_WAIT] = {.word = "wait",
                   .article = "a",
                   PROPS(wait_props),
                   .takes_next = true,
                   .either = {"duration_ms", "until"},
                   .either_only = true},
    [KIND_SCRIPT] = {.word = "script", .article = "a", PROPS(script_props), .takes_next = true},
    [KIND_VOTE] = {.word = "vote",
                   .article = "a",
                   PROPS(vote_props),
                   .decides = true,
                   .takes_next = true,
                   .outcomes = {"approve", "reject"}},
    [KIND_FACT_CHECK] = {.word = "fact_check",
                         .article = "a",
                         PROPS(fact_props),
                         .decides = true,
                         .takes_next = true,
                         .outcomes = {"approve", "reject", "verified", "failed"}},
    [KIND_CONTEXT_SYNTH] = {.word = "context_synth",
                            .article = "a",
                            PROPS(synth_props),
                            .takes_next = true},
    [KIND_MEMORY_RETRIEVAL] = {.word = "memory_retrieval",
                               .article = "a",
                               PROPS(memory_props),
                               .takes_next = true},
    [KIND_TASK] = {.word = "task", .article = "a", PROPS(task_props), .takes_next = true},
    [KIND_SUBWORKFLOW] = {.word = "subworkflow",
                          .article = "a",
                          PROPS(subworkflow_props),
                          .takes_next = true},
    [KIND_TOOL] = {.word = "tool", .article = "a", PROPS(tool_props), .takes_next = true},
    [KIND_SIGNAL] = {.word = "signal",
                     .article = "a",
                     PROPS(signal_props),
                     .takes_next = true,
                     .breaks_cycles = true},
    [KIND_STAGE] = {.word = "stage",
                    .article = "a",
                    PROPS(stage_props),
                    .takes_next = true,
                    .breaks_cycles = true},
    [KIND_MAP] =
        {.word = "map", .article = "a", PROPS(map_props), .takes_next = true, .members = "body"},
    [KIND_SEQUENCE] = {.word = "sequence",
                       .article = "a",
                       PROPS(sequence_props),
                       .takes_next = true,
                       .members = "steps"},
    [KIND_PLUGIN] = {.word = "plugin", .article = "a", .takes_next = true},
};

const struct kind_def *kind_def_of(enum node_kind k)
{
    return &kinds[k];
}

const char *node_kind_word(enum node_kind k)
{
    return kinds[k].word;
}

bool kind_parse(struct str word, enum node_kind *out)
{
    for (int k = 0; k < KIND_COUNT; k++) {
        if (k != KIND_PLUGIN && str_eqz(word, kinds[k].word)) {
            *out = (enum node_kind)k;
            return true;
        }
    }
    return false;
}
