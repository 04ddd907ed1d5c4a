// What waits for a person, in one shape: a row of GET /reviews, or what a session's events tell of it.

import type { Interrupt, Json, JsonObject, JsonSchema } from "@sluice/client";
import type { InterruptView } from "@/session/model";

export interface Item { name: string; required: boolean; done: boolean }
export interface Deliverable { name: string; required: boolean; value: Json }
export interface Vote { reviewer?: string; action?: string; data?: Json; at?: string }
export interface Answer { action?: string; data?: Json; reviewer?: string | null; at?: string; content?: string; votes?: Vote[] }

export interface Asked {
  id: string;
  sessionId: string;
  nodeId: string;
  kind: string;
  status: "pending" | "answered" | "expired" | "cancelled";
  reason: string;
  actions: string[];
  draft?: Json;
  formSchema?: JsonSchema;
  reviewers: string[];
  quorum: number;
  rejectQuorum: number;
  votes: Vote[];
  answer?: Answer;
  expiresAt?: string;
  /** Since when. */
  at?: string;
  closedAt?: string;
  /** Of a stage. */
  items: Item[];
  deliverables: Deliverable[];
  allowSkip: boolean;
  estimatedMinutes?: number;
  sessionName?: string;
  workflowId?: string;
  /** Of a signal, as far as it is known. */
  signal?: string;
}

type StageParts = { items?: Item[]; deliverables?: Deliverable[]; allow_skip?: boolean; estimated_minutes?: number };

const usual = (kind: string): string[] =>
  kind === "user_input" || kind === "form" ? ["submit"] : kind === "stage" ? ["complete", "skip"] : ["approve", "reject"];

export function askedFromReview(r: Interrupt): Asked {
  const stage = r as Interrupt & StageParts;
  return {
    id: r.interrupt_id, sessionId: r.session_id, nodeId: r.node_id, kind: r.kind, status: r.status, reason: r.reason ?? "",
    actions: r.actions?.length ? r.actions : usual(r.kind), draft: r.draft, formSchema: r.form_schema as JsonSchema | undefined,
    reviewers: r.reviewers ?? [], quorum: r.quorum ?? 1, rejectQuorum: r.reject_quorum ?? 1, votes: r.votes ?? [],
    answer: (r.answer as Answer | null) ?? undefined, expiresAt: r.expires_at ?? undefined, at: r.created_at,
    closedAt: r.status === "pending" ? undefined : r.answer?.at ?? r.updated_at ?? undefined,
    items: stage.items ?? [], deliverables: stage.deliverables ?? [], allowSkip: stage.allow_skip !== false,
    estimatedMinutes: stage.estimated_minutes, sessionName: r.session_name ?? undefined, workflowId: r.workflow_id ?? undefined,
  };
}

const STATES = { open: "pending", answered: "answered", expired: "expired", closed: "cancelled" } as const;

export function askedFromView(sessionId: string, v: InterruptView): Asked {
  return {
    id: v.id, sessionId, nodeId: v.nodeId, kind: v.kind, status: STATES[v.state], reason: v.reason,
    actions: v.actions.length ? v.actions : usual(v.kind), draft: v.draft, formSchema: v.formSchema,
    reviewers: [], quorum: 1, rejectQuorum: 1, votes: [], expiresAt: v.expiresAt, at: v.at, closedAt: v.answeredAt,
    answer: v.state === "answered" ? { action: v.action, data: v.data, reviewer: v.reviewer, at: v.answeredAt } : undefined,
    items: [], deliverables: [], allowSkip: true,
  };
}

/** The events say whether it is open; the object has what they leave out. */
export function merged(view: Asked, object: Asked | undefined): Asked {
  if (!object) return view;
  const reason = view.reason || object.reason;
  return { ...object, status: view.status, reason, answer: view.answer ?? object.answer, expiresAt: view.expiresAt ?? object.expiresAt };
}

/** What is asked, as one line: a prompt may be Markdown of many. */
export const oneLine = (text: string): string => text.replace(/^[#>\s*-]+/gm, "").replace(/[*_`]+/g, "").replace(/\s+/g, " ").trim();

/** Which one opens when this one is done with: the next of the list, or the one before the last. */
export function nextOf<T extends { id: string }>(list: readonly T[], id: string, step: 1 | -1 = 1): T | undefined {
  const at = list.findIndex((x) => x.id === id);
  if (at < 0) return list[0];
  return list[at + step];
}

export const draftText = (draft: Json | undefined): string =>
  draft === undefined || draft === null ? "" : typeof draft === "string" ? draft : JSON.stringify(draft, null, 2);

export const kindIcon = (kind: string): string => (["user_input", "stage", "signal"].includes(kind) ? kind : kind === "form" ? "list" : "human_review");

export const needsEdit = (action: string): boolean => action === "modify" || action === "edit";
export const isRefusal = (action: string): boolean => action === "reject" || action === "skip";
const GOOD = new Set(["approve", "submit", "accept", "yes", "input", "answer", "complete"]);
export const isGood = (action: string): boolean => GOOD.has(action);

/** What somebody wrote when they answered: the comment, and the text as it was afterwards. */
export function answerParts(answer: Answer | undefined): { comment?: string; content?: string; rest?: JsonObject; said?: string } {
  const data = answer?.data;
  if (typeof data === "string") return { said: data, content: answer?.content };
  if (!data || typeof data !== "object" || Array.isArray(data)) return { content: answer?.content };
  const { comment, content, ...rest } = data;
  return {
    comment: typeof comment === "string" ? comment : undefined,
    content: typeof content === "string" ? content : answer?.content,
    rest: Object.keys(rest).length ? rest : undefined,
  };
}

/** "The data do not hold to the form: $.reason: is required": which field, and what is wrong with it. */
export function fieldErrors(message: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const m of message.matchAll(/\$\.([^\s:;]+): ([^;]+?)(?=;|$)/g)) found[m[1]!] ??= m[2]!.trim();
  return found;
}
