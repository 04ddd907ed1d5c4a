// What differs between two sessions: pure, from what the server tells of each.

import type { Json, JsonObject, Message, NodeRun, Session, Workflow } from "@sluice/client";

export interface NodeUsage { node_id: string; input_tokens: number; output_tokens: number; cost_usd: number | null }

export interface Side {
  session: Session;
  workflow?: Workflow;
  runs: NodeRun[];
  messages: Message[];
  usage: NodeUsage[];
}

export interface NodeSum {
  status: string;
  /** Of all its runs together; those that have not ended have none. */
  ms: number;
  tokens: number;
  cost: number;
  runs: number;
  /** Attempts after a failure, of all runs. */
  retries: number;
}

export interface NodeRow { id: string; a?: NodeSum; b?: NodeSum; differs: ReadonlySet<keyof NodeSum> }

/** A time that differs by less is the same: no two runs take equally long. */
const TIME_SHARE = 0.1;
const TIME_MS = 250;

export function sumsByNode(side: Side): Map<string, NodeSum> {
  const sums = new Map<string, NodeSum>();
  for (const run of side.runs) {
    const sum = sums.get(run.node_id) ?? { status: "", ms: 0, tokens: 0, cost: 0, runs: 0, retries: 0 };
    sum.status = run.status;
    sum.runs++;
    if ((run.attempt ?? 1) > 1) sum.retries++;
    if (run.started_at && run.ended_at) sum.ms += Math.max(0, Date.parse(run.ended_at) - Date.parse(run.started_at));
    sums.set(run.node_id, sum);
  }
  for (const u of side.usage) {
    const sum = sums.get(u.node_id);
    if (!sum) continue;
    sum.tokens = u.input_tokens + u.output_tokens;
    sum.cost = u.cost_usd ?? 0;
  }
  return sums;
}

export const timesDiffer = (a: number, b: number): boolean => Math.abs(a - b) > Math.max(TIME_MS, TIME_SHARE * Math.max(a, b));

function differing(a: NodeSum | undefined, b: NodeSum | undefined): ReadonlySet<keyof NodeSum> {
  const out = new Set<keyof NodeSum>();
  if (!a || !b) {
    if (a || b) out.add("status");
    return out;
  }
  for (const key of ["status", "tokens", "cost", "runs", "retries"] as const) if (a[key] !== b[key]) out.add(key);
  if (timesDiffer(a.ms, b.ms)) out.add("ms");
  return out;
}

/** Every node that has run in either, in the order in which they came, the first session's first. */
export function nodeRows(a: Side, b: Side): NodeRow[] {
  const [sumsA, sumsB] = [sumsByNode(a), sumsByNode(b)];
  const order = [...sumsA.keys()];
  let after = -1;
  for (const id of sumsB.keys()) {
    const known = order.indexOf(id);
    // Behind the node that came before it there.
    if (known < 0) order.splice(++after, 0, id);
    else after = Math.max(after, known);
  }
  return order.map((id) => ({ id, a: sumsA.get(id), b: sumsB.get(id), differs: differing(sumsA.get(id), sumsB.get(id)) }));
}

const isObject = (v: Json | undefined): v is JsonObject => typeof v === "object" && v !== null && !Array.isArray(v);
const isSame = (a: Json | undefined, b: Json | undefined) => JSON.stringify(a) === JSON.stringify(b);

export interface ValueDifference { path: string; a?: Json; b?: Json }

/** Where two values differ, by path; long lists and deep objects as a whole. */
export function differences(a: Json | undefined, b: Json | undefined, path = "", depth = 3): ValueDifference[] {
  if (isSame(a, b)) return [];
  if (depth > 0 && isObject(a) && isObject(b)) {
    return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((key) => differences(a[key], b[key], path ? `${path}.${key}` : key, depth - 1));
  }
  return [{ path, ...(a === undefined ? {} : { a }), ...(b === undefined ? {} : { b }) }];
}

export interface MessagePair { nodeId: string; nth: number; a?: Message; b?: Message }

/** The messages of a node beside each other: its first with the other's first, and so on. */
export function pairMessages(a: readonly Message[], b: readonly Message[]): MessagePair[] {
  const pairs: MessagePair[] = [];
  const byNode = new Map<string, MessagePair[]>();
  const take = (messages: readonly Message[], side: "a" | "b") => {
    const seen = new Map<string, number>();
    let after = -1;
    for (const message of messages) {
      if (message.role !== "assistant") continue;
      const nodeId = message.node_id ?? "";
      const nth = (seen.get(nodeId) ?? 0) + 1;
      seen.set(nodeId, nth);
      const own = byNode.get(nodeId) ?? [];
      byNode.set(nodeId, own);
      const known = own[nth - 1];
      if (known) {
        known[side] = message;
        after = Math.max(after, pairs.indexOf(known));
        continue;
      }
      const pair: MessagePair = { nodeId, nth, [side]: message };
      own.push(pair);
      pairs.splice(++after, 0, pair);
    }
  };
  take(a, "a");
  take(b, "b");
  return pairs;
}

/** Time from its start to its end; to now while it runs. */
export function lengthOf(session: Session, now: number): number | undefined {
  if (!session.started_at) return undefined;
  return Math.max(0, (session.ended_at ? Date.parse(session.ended_at) : now) - Date.parse(session.started_at));
}
