/* What `sluice copy` carries: every table of both schemas, with its columns; parents come first.
 * Left out are schema_migrations and instances, which belong to the store they stand in, and
 * event_ring, all of which stands in session_events by then. A test holds this list against both
 * schemas. */
#include <assert.h>
#include <string.h>

#include "store/copy.h"

static const struct {
    const char *name, *columns; /* name:kind …; enum copy_kind */
} texts[] = {
    {"workspaces", "name:t updated_at:i"},
    {"workflows", "workspace:w id:t name:t type:t description:t version:i first_version:i"
                  " created_at:i updated_at:i deleted:f"},
    {"workflow_versions", "workspace:w workflow_id:t version:i name:t type:t description:t"
                          " created_at:i graph:t checksum:t"},
    {"sessions", "key:i id:u workspace:w version:i epoch:i busy:f stored_only:f status:t reason:t"
                 " name:t group_id:t user_id:t tags:t workflow_id:t workflow_version:i last_seq:i"
                 " created_at:i started_at:i ended_at:i updated_at:i output:t error:t"
                 " node_statuses:j waiting:t usage:t vars:t state:t owner:u folded_seq:i"
                 " parent_session:u parent_seq:i parent_run:u waiting_packed:b state_packed:b"
                 " core_packed:b runs_packed:b"},
    {"session_details", "session:s input:t metadata:t settings:t thread_configs:t"
                        " workflow_state:t budget:t graph:t checksum:t"},
    {"session_events", "session:s seq_last:i seq_first:i at:i frames:t frames_packed:b"},
    {"node_runs", "session:s run_id:u node_id:t kind:t iteration:i attempt:i status:t branch:t"
                  " started_at:i ended_at:i output:t error:t interrupt:t updated_at:i"
                  " progress:t interrupt_packed:b"},
    {"session_messages", "session:s created_at:i seq:i message_id:u run_id:u node_id:t role:t"
                         " agent_id:t finish_reason:t token_count:i content:t thinking:t"
                         " tool_calls:t"},
    {"effects", "session:s run_id:u kind:t request:t"},
    {"timers", "session:s timer_id:u due_at:i purpose:t updated_at:i"},
    {"withheld_inputs", "session:s ord:i input:t"},
    {"idempotency_keys", "workspace:w key:t hash_a:i hash_b:i status:i body:t created_at:i"},
    {"session_commands", "command_id:u session:s status:i request:t answer:t created_at:i"
                         " updated_at:i"},
    {"api_keys", "id:u workspace:w name:t role:t prefix:t hash:b created_at:i updated_at:i"
                 " last_used_at:i expires_at:i revoked_at:i"},
    {"audit_log", "id:u workspace:w key_id:u session_id:u action:t object:t remote:t status:i"
                  " details:t created_at:i updated_at:i actor:t role:t"},
    {"llm_providers", "workspace:w id:t dialect:t base_url:t api_key_env:t max_concurrent:i"
                      " enabled:f version:i created_at:i updated_at:i"},
    {"llm_models", "workspace:w provider:t model:t input_price:r output_price:r context_tokens:i"
                   " output_tokens:i created_at:i updated_at:i"},
    {"groups", "workspace:w id:t name:t description:t category:t version:i body:t created_at:i"
               " updated_at:i"},
    {"agents", "workspace:w id:t name:t description:t category:t version:i body:t created_at:i"
               " updated_at:i"},
    {"workflow_templates", "workspace:w id:t name:t description:t category:t version:i body:t"
                           " created_at:i updated_at:i"},
    {"llm_usage", "id:u workspace:w session_id:u group_id:t workflow_id:t run_id:u node_id:t"
                  " agent_id:t provider:t model:t input_tokens:i output_tokens:i cost_micros:i"
                  " estimated:f created_at:i"},
    {"active_sessions", "workspace:w user_id:t session_id:u updated_at:i"},
    {"tickets", "hash:b body:t created_at:i expires_at:i"},
    {"interrupts", "interrupt_id:u session:s run_id:u node_id:t kind:t status:t request:t answer:t"
                   " expires_at:i created_at:i updated_at:i request_packed:b"},
    {"stage_items", "session:s instance_id:u position:i node_id:t kind:t name:t done:f done_by:t"
                    " value:t created_at:i updated_at:i"},
    {"session_files", "session:s path:t version:i run_id:u author:t media_type:t size:i"
                      " content:b created_at:i updated_at:i seq:i from_version:i reason:t"
                      " deleted:f"},
    {"memories", "id:u source_id:u workspace:w group_id:t agent_id:t session_id:u tier:i chunk:i"
                 " chunks:i hits:i created_at:i updated_at:i model:t dimensions:i metadata:t"
                 " content:t words:t embedding:e"},
    {"webhooks", "workspace:w id:u url:t events:t filter:t secret_ref:t enabled:f version:i"
                 " created_at:i updated_at:i name:t disabled_reason:t scan_from:i"},
    {"webhook_deliveries", "id:u webhook:u session:s seq:i status:t attempts:i next_at:i"
                           " http_status:i error:t body:t created_at:i updated_at:i type:t"
                           " duration_ms:i"},
    {"webhook_cursors", "webhook:u session:s seq:i behind:f attempts:i failed_at:i next_at:i"
                        " owner:u updated_at:i"},
    {"schedules", "workspace:w id:u name:t workflow_id:t cron:t time_zone:t missed:t input:t"
                  " enabled:f next_at:i last_at:i last_session:u version:i created_at:i"
                  " updated_at:i overlap:t last_error:t last_error_at:i"},
    {"tasks", "id:u session:s run_id:u node_id:t queue:t status:t attempt:i input:t output:t"
              " error:t worker:t lease_expires_at:i created_at:i updated_at:i"
              " heartbeat_ms:i"},
};
#define TEXTS ((int)(sizeof(texts) / sizeof(texts[0])))

int copy_tables(struct copy_table out[COPY_TABLES_MAX])
{
    _Static_assert(sizeof(texts) / sizeof(texts[0]) <= COPY_TABLES_MAX, "COPY_TABLES_MAX");

    for (int i = 0; i < TEXTS; i++) {
        out[i] = (struct copy_table){.name = texts[i].name};
        for (const char *at = texts[i].columns; *at;) {
            size_t n = strcspn(at, ":");
            assert(at[n] == ':' && out[i].count < COPY_COLUMNS_MAX);
            out[i].columns[out[i].count++] =
                (struct copy_column){{at, n}, (enum copy_kind)at[n + 1]};
            at += n + 2;
            at += *at == ' ';
        }
    }
    return TEXTS;
}
