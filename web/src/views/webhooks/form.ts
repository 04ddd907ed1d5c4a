// A webhook as its form has it, and back.

import type { Webhook, WebhookChange, WebhookFilter } from "@sluice/client";
import { objectOf } from "@/ui/json-text";

export interface WebhookForm {
  name: string; url: string;
  all: boolean; events: string[];
  filter: { workflow_id: string; group_id: string; session_id: string; status: string[]; metadata: string };
  secret: string; enabled: boolean;
}

export const EVENT_TYPES = [
  "session_state_change", "node_state_change", "human_interaction_required", "human_interaction_reminder", "human_interaction_expired", "node_resumed", "message", "stage_progress",
  "loop_round", "token_usage", "tool_execution", "parallel_start", "signal_received", "user_input", "vote_cast", "vote_result", "fact_check_progress", "memory_retrieved",
  "knowledge_updated", "budget_reached", "breaker_tripped", "stream_reset", "log", "error", "token_stream",
];

export function webhookForm(h: Webhook | undefined): WebhookForm {
  const f: WebhookFilter = h?.filter ?? {};
  const status = f.status === undefined ? [] : Array.isArray(f.status) ? f.status : [f.status];
  const all = !h || h.events.length === 0 || h.events.includes("*");
  return {
    name: h?.name ?? "", url: h?.url ?? "", all, events: all ? [] : h.events,
    filter: { workflow_id: f.workflow_id ?? "", group_id: f.group_id ?? "", session_id: f.session_id ?? "", status, metadata: f.metadata ? JSON.stringify(f.metadata, null, 2) : "" },
    secret: "", enabled: h?.enabled ?? true,
  };
}

export function webhookBody(f: WebhookForm): WebhookChange {
  const { workflow_id, group_id, session_id, status, metadata } = f.filter;
  const data = objectOf(metadata);
  const filter: WebhookFilter = {
    ...(workflow_id ? { workflow_id } : {}), ...(group_id ? { group_id } : {}), ...(session_id.trim() ? { session_id: session_id.trim() } : {}),
    ...(status.length ? { status } : {}), ...(data && Object.keys(data).length ? { metadata: data } : {}),
  };
  return { url: f.url.trim(), name: f.name.trim() || null, events: f.all ? [] : f.events, filter, enabled: f.enabled, ...(f.secret ? { secret: f.secret } : {}) };
}

/** What a receiver does with the signature; docs/WEBHOOKS.md has it whole. */
export const EXAMPLE = `import { createHmac, timingSafeEqual } from 'node:crypto';

// body: the bytes as they came, before they are parsed
export function isOurs(header, body, secret) {
  const m = /^t=(\\d+),v1=([0-9a-f]{64})$/.exec(header ?? '');
  if (!m || Math.abs(Date.now() / 1000 - Number(m[1])) > 300) return false;
  const expected = createHmac('sha256', secret)
    .update(\`\${m[1]}.\`).update(body).digest();
  return timingSafeEqual(expected, Buffer.from(m[2], 'hex'));
}`;
