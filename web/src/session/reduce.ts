// events -> view. Pure: the same events give the same view, in one batch or in many, live or replayed.
// Events are expected in order without gaps (client/stream.js sees to it); one that was seen is ignored.

import type {
  ErrorInfo, Json, JsonObject, Message, NodeRun, NodeStateChange, NodeStatus, Session, SessionEvent, SessionStateChange, TokenUsage, Usage,
} from "@sluice/client";
import {
  emptyView, RUN_ITEMS_MAX, TERMINAL,
  type InterruptView, type ItemRef, type LoopView, type MessageView, type NodeView, type NoteView, type OrderEntry, type RunView,
  type SessionView, type ToolView,
} from "./model";

type Table = "nodes" | "runs" | "messages" | "tools" | "interrupts" | "notes";

// Copies what it changes, once per batch, however many events touch it.
class Draft {
  view: SessionView;
  private owned = new Set<unknown>();

  /** `fill`: the caller holds the only reference to this view's table of messages. */
  constructor(base: SessionView, fill = false) {
    this.view = { ...base };
    if (fill) this.owned.add(base.messages);
  }

  private table<T extends Table>(name: T): SessionView[T] {
    let table = this.view[name];
    if (!this.owned.has(table)) {
      table = { ...table };
      this.owned.add(table);
      this.view[name] = table;
    }
    return table;
  }

  put<T extends Table>(name: T, value: SessionView[T][string]): SessionView[T][string] {
    this.owned.add(value);
    (this.table(name) as Record<string, unknown>)[value.id] = value;
    return value;
  }

  edit<T extends Table>(name: T, id: string): SessionView[T][string] | undefined {
    const value = this.view[name][id];
    if (!value || this.owned.has(value)) return value as SessionView[T][string] | undefined;
    return this.put(name, { ...value } as SessionView[T][string]);
  }

  order(entry: OrderEntry): void {
    if (!this.owned.has(this.view.order)) {
      this.view.order = [...this.view.order];
      this.owned.add(this.view.order);
    }
    this.view.order.push(entry);
    this.view.shape++;
  }

  node(id: string): NodeView {
    return (this.edit("nodes", id) as NodeView | undefined) ??
      (this.put("nodes", { id, status: "pending", runIds: [], iteration: 1, attempt: 1 }) as NodeView);
  }

  // An event names its run; a server that leaves it out means the node's current one.
  run(event: SessionEvent): RunView | undefined {
    const nodeId = event.node_id;
    if (!nodeId) return undefined;
    const node = this.view.nodes[nodeId];
    const id = event.run_id ?? node?.runIds[node.runIds.length - 1] ?? `${nodeId}#1`;
    const known = this.edit("runs", id) as RunView | undefined;
    if (known) return known;
    const editable = this.node(nodeId);
    editable.runIds = [...editable.runIds, id];
    this.order({ kind: "run", id });
    return this.put("runs", {
      id, nodeId, status: "pending", attempt: 1, iteration: editable.runIds.length, branch: null,
      firstSeq: event.seq, items: [],
    }) as RunView;
  }

  item(run: RunView, ref: ItemRef): void {
    if (run.items.some((i) => i.kind === ref.kind && i.id === ref.id)) return;
    if (run.items.length % RUN_ITEMS_MAX === 0) this.view.shape++;
    if (!this.owned.has(run.items)) {
      run.items = [...run.items];
      this.owned.add(run.items);
    }
    run.items.push(ref);
  }

  note(event: SessionEvent, note: Omit<NoteView, "id" | "at">): void {
    const id = `note-${event.seq}`;
    this.put("notes", { id, at: event.timestamp, ...note });
    const run = this.run(event);
    if (run) this.item(run, { kind: "note", id });
    else this.order({ kind: "note", id });
  }

  closeInterrupt(id: string, change: Partial<InterruptView>): void {
    const interrupt = this.edit("interrupts", id) as InterruptView | undefined;
    if (interrupt) Object.assign(interrupt, change);
    this.view.open = this.view.open.filter((open) => open !== id);
  }
}

export function asError(error: ErrorInfo | string | null | undefined): ErrorInfo | undefined {
  if (!error) return undefined;
  return typeof error === "string" ? { message: error } : error;
}

const asText = (value: Json | undefined): string =>
  value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);

// ["approve", "reject"], [{id: "approve", label: "Approve"}] and {approve: "end"} are all seen in the wild.
function actionNames(actions: Json | undefined): string[] {
  if (Array.isArray(actions)) {
    return actions.map((a) =>
      typeof a === "string" ? a
        : a && typeof a === "object" && !Array.isArray(a) ? asText(a.id ?? a.action ?? a.name ?? a.label) : "",
    ).filter(Boolean);
  }
  return actions && typeof actions === "object" ? Object.keys(actions) : [];
}

const numbers = (value: Json | undefined): number[] =>
  Array.isArray(value)
    ? value.map((v) => (v && typeof v === "object" && !Array.isArray(v) ? v.score ?? null : v))
      .filter((v): v is number => typeof v === "number")
    : [];

function sessionMoved(d: Draft, event: SessionStateChange): void {
  const { view } = d;
  const { to, reason, quiesced, output, error } = event.data;
  if (view.runningSince && to !== "running") {
    view.activeMs += Math.max(0, Date.parse(event.timestamp) - Date.parse(view.runningSince));
    view.runningSince = undefined;
  }
  view.status = to;
  view.reason = reason ?? undefined;
  view.quiesced = to === "paused" && quiesced !== false;
  view.pausedSeq = to === "paused" ? event.seq : undefined;
  const last = view.pauses.at(-1);
  if (last && !last.until) view.pauses = [...view.pauses.slice(0, -1), { ...last, until: event.timestamp }];
  if (to === "paused") view.pauses = [...view.pauses, { seq: event.seq, at: event.timestamp, reason: reason ?? undefined }];
  if (to === "running") {
    view.startedAt ??= event.timestamp;
    view.runningSince ??= event.timestamp;
  }
  if (!TERMINAL.has(to)) return;
  view.endedAt = event.timestamp;
  view.output = output ?? undefined;
  view.error = asError(error);
  for (const id of view.open) d.closeInterrupt(id, { state: "closed" });
  for (const message of Object.values(view.messages)) {
    if (message.state === "streaming") (d.edit("messages", message.id) as MessageView).state = "cut";
  }
}

function waited(run: RunView, to: NodeStatus, at: string): void {
  const last = run.waits?.at(-1);
  if (last && !last.until) run.waits = [...(run.waits ?? []).slice(0, -1), { ...last, until: at }];
  if (to === "suspended") run.waits = [...(run.waits ?? []), { at }];
}

function nodeMoved(d: Draft, event: NodeStateChange): void {
  const run = d.run(event);
  if (!run) return;
  const { to, attempt, iteration, item, branch, output, error, interrupt_id, child_session_id } = event.data;
  const node = d.node(run.nodeId);
  run.status = node.status = to;
  d.view.shape++;
  if (attempt !== undefined) run.attempt = node.attempt = attempt;
  if (iteration !== undefined) run.iteration = iteration;
  if (item !== undefined) run.item = item;
  node.iteration = Math.max(node.iteration, run.iteration);
  if (branch !== undefined) run.branch = branch;
  if (output !== undefined) run.output = output;
  if (child_session_id) run.childId = child_session_id;
  run.error = asError(error);
  waited(run, to, event.timestamp);
  if (to === "running") {
    run.startedAt ??= event.timestamp;
    run.endedAt = undefined;
  }
  if (to === "completed" || to === "failed" || to === "skipped") {
    run.endedAt = event.timestamp;
    for (const ref of run.items) {
      if (ref.kind === "message" && d.view.messages[ref.id]?.state === "streaming") {
        (d.edit("messages", ref.id) as MessageView).state = to === "completed" ? "done" : "cut";
      }
    }
  }
  if (to !== "suspended") {
    for (const id of d.view.open) {
      if (d.view.interrupts[id]?.runId === run.id && id !== interrupt_id) d.closeInterrupt(id, { state: "closed" });
    }
  }
}

function messageOf(d: Draft, event: SessionEvent, id: string, agentId: string | null | undefined): MessageView {
  const known = d.edit("messages", id) as MessageView | undefined;
  if (known) return known;
  const run = d.run(event);
  const message = d.put("messages", {
    id, nodeId: event.node_id ?? "", runId: run?.id ?? "", agentId: agentId ?? undefined, role: "assistant",
    text: "", thinking: "", state: "streaming", restarts: [], headMissing: false, at: event.timestamp,
  }) as MessageView;
  if (run) d.item(run, { kind: "message", id });
  return message;
}

function usageAdd(total: Usage | undefined, more: Usage): Usage {
  return {
    input_tokens: (total?.input_tokens ?? 0) + (more.input_tokens ?? 0),
    output_tokens: (total?.output_tokens ?? 0) + (more.output_tokens ?? 0),
    cost_usd: (total?.cost_usd ?? 0) + (more.cost_usd ?? 0),
  };
}

function usageTold(d: Draft, event: TokenUsage): void {
  const { data } = event;
  d.view.usage = data.session ? { ...d.view.usage, ...data.session } : usageAdd(d.view.usage, data);
  const run = d.run(event);
  if (run) run.usage = usageAdd(run.usage, data);
}

function interruptMoved(d: Draft, id: Json | undefined): void {
  const interrupt = typeof id === "string" ? (d.edit("interrupts", id) as InterruptView | undefined) : undefined;
  if (interrupt) interrupt.moves = (interrupt.moves ?? 0) + 1;
}

function apply(d: Draft, event: SessionEvent): void {
  switch (event.type) {
    case "session_state_change":
      sessionMoved(d, event);
      break;
    case "node_state_change":
      nodeMoved(d, event);
      break;
    case "token_stream": {
      const isNew = !d.view.messages[event.data.message_id];
      const message = messageOf(d, event, event.data.message_id, event.data.agent_id);
      if (isNew && d.view.fromSnapshot && event.data.index > 0) message.headMissing = true;
      if (message.state === "done") break;
      message.state = "streaming";
      if (event.data.is_thinking) message.thinking += event.data.chunk;
      else message.text += event.data.chunk;
      break;
    }
    case "stream_reset": {
      const message = messageOf(d, event, event.data.message_id, undefined);
      message.text = message.thinking = "";
      message.headMissing = false;
      message.state = "streaming";
      message.restarts = [...message.restarts, event.data.reason ?? ""];
      break;
    }
    case "message": {
      const message = messageOf(d, event, event.data.message_id, event.data.agent_id);
      message.text = event.data.content;
      message.role = event.data.role;
      message.agentId = event.data.agent_id ?? message.agentId;
      message.tokens = event.data.token_count ?? undefined;
      message.finishReason = event.data.finish_reason ?? undefined;
      message.headMissing = false;
      message.state = "done";
      break;
    }
    case "token_usage":
      usageTold(d, event);
      break;
    case "tool_execution": {
      const { call_id, tool, status, input, output, error } = event.data;
      const id = `${event.run_id ?? event.node_id ?? ""}/${call_id}`;
      const known = d.edit("tools", id) as ToolView | undefined;
      const view = known ?? (d.put("tools", { id, tool, status }) as ToolView);
      view.status = status;
      view.input = input ?? view.input;
      view.output = output ?? view.output;
      view.error = asError(error);
      const run = d.run(event);
      if (run) d.item(run, { kind: "tool", id });
      break;
    }
    case "loop_round": {
      const run = d.run(event);
      if (!run) break;
      const { round, max_rounds, score, history, exit_reason } = event.data;
      const loop: LoopView = {
        round, maxRounds: max_rounds, score: score ?? undefined, history: numbers(history),
        exitReason: exit_reason ?? undefined,
      };
      d.node(run.nodeId).loop = loop;
      d.note(event, { kind: "round", text: "", data: { round, max_rounds, score, exit_reason } as JsonObject });
      break;
    }
    case "vote_cast":
      d.note(event, {
        kind: "vote", who: event.data.voter, text: event.data.decision, detail: event.data.reasoning,
        data: typeof event.data.score === "number" ? { score: event.data.score } : undefined,
      });
      break;
    case "vote_result":
      d.note(event, { kind: "tally", text: "", data: { passed: event.data.passed, tally: event.data.tally } });
      break;
    case "fact_check_progress":
      d.note(event, {
        kind: "fact", text: event.data.claim ?? "",
        data: { current: event.data.current, total: event.data.total, verdict: event.data.verdict ?? null, sources: event.data.sources ?? null },
      });
      break;
    case "human_interaction_required": {
      const run = d.run(event);
      const { interrupt_id: id, kind, reason, actions, draft, form_schema, expires_at } = event.data;
      if (d.view.interrupts[id]) break;
      d.put("interrupts", {
        id, nodeId: event.node_id ?? "", runId: run?.id ?? "", kind: kind ?? "human_review", reason: reason ?? "",
        actions: actionNames(actions), draft: draft ?? undefined, formSchema: form_schema ?? undefined,
        expiresAt: expires_at ?? undefined, state: "open", at: event.timestamp,
      });
      d.view.open = [...d.view.open, id];
      if (run) d.item(run, { kind: "interrupt", id });
      break;
    }
    case "human_interaction_reminder": {
      const interrupt = d.edit("interrupts", event.data.interrupt_id) as InterruptView | undefined;
      if (interrupt) interrupt.expiresInMs = event.data.expires_in_ms;
      break;
    }
    case "human_interaction_expired":
      d.closeInterrupt(event.data.interrupt_id, {
        state: "expired", action: event.data.action_taken, answeredAt: event.timestamp,
      });
      break;
    case "node_resumed": {
      const { interrupt_id, action, data, reviewer, final } = event.data;
      // One answer of several: the question is still open.
      if (final === false) {
        interruptMoved(d, interrupt_id);
        break;
      }
      const id = interrupt_id ?? d.view.open.find((o) => d.view.interrupts[o]?.nodeId === event.node_id);
      if (!id) break;
      d.closeInterrupt(id, {
        state: "answered", action, data: data ?? undefined, reviewer: reviewer ?? undefined, answeredAt: event.timestamp,
      });
      break;
    }
    case "user_input":
      d.note(event, { kind: "said", who: event.data.user_id ?? undefined, text: event.data.content });
      break;
    case "signal_received":
      d.note(event, { kind: "signal", text: event.data.name, detail: asText(event.data.payload) });
      break;
    case "log":
      d.note(event, { kind: "log", text: event.data.text, level: event.data.level ?? "info" });
      break;
    case "error":
      d.note(event, { kind: "error", text: event.data.error, detail: event.data.code });
      break;
    case "budget_reached":
      d.note(event, { kind: "budget", text: "", data: event.data as JsonObject });
      break;
    case "breaker_tripped":
      d.note(event, { kind: "breaker", text: "", data: event.data as JsonObject });
      break;
    case "stage_progress": {
      const run = d.run(event);
      d.view.stages++;
      const { done, total } = event.data;
      if (run && typeof done === "number" && typeof total === "number") d.node(run.nodeId).progress = { done, total };
      interruptMoved(d, event.data.instance_id);
      break;
    }
    case "parallel_start":
    case "memory_retrieved":
    case "knowledge_updated":
      d.run(event);
      break;
  }
}

function applied(view: SessionView, events: readonly SessionEvent[], fill: boolean): SessionView {
  let d: Draft | undefined;
  for (const event of events) {
    if (event.seq <= (d?.view ?? view).lastSeq) continue;
    d ??= new Draft(view, fill);
    apply(d, event);
    d.view.lastSeq = event.seq;
    d.view.at = event.timestamp;
  }
  return d?.view ?? view;
}

export const reduce = (view: SessionView, events: readonly SessionEvent[]): SessionView => applied(view, events, false);

/** The same for whoever lets go of the view that was: its table of messages becomes the new one's, so that a token
 *  costs the same in a session of ten thousand messages as in one of two. */
export const advance = (view: SessionView, events: readonly SessionEvent[]): SessionView => applied(view, events, true);

/** The view when the log does not reach back: the session, its messages and its runs, as of `lastSeq`. */
export function viewFromSnapshot(session: Session, messages: Message[], runs: NodeRun[], lastSeq: number): SessionView {
  const d = new Draft(emptyView(session.id));
  const { view } = d;
  Object.assign(view, {
    lastSeq,
    fromSnapshot: true,
    status: session.status,
    reason: session.reason ?? undefined,
    quiesced: session.status === "paused",
    startedAt: session.started_at ?? undefined,
    endedAt: session.ended_at ?? undefined,
    runningSince: session.status === "running" ? session.started_at ?? undefined : undefined,
    error: asError(session.error),
    output: session.output ?? undefined,
    usage: session.usage ?? view.usage,
  });
  if (session.started_at && session.ended_at) {
    view.activeMs = Date.parse(session.ended_at) - Date.parse(session.started_at);
  }
  const stub = (nodeId: string | null | undefined, runId: string | null | undefined) =>
    ({ seq: lastSeq, node_id: nodeId, run_id: runId, timestamp: session.started_at ?? "" }) as SessionEvent;
  for (const r of runs) {
    const run = d.run(stub(r.node_id, r.run_id ?? r.id));
    if (!run) continue;
    Object.assign(run, {
      status: r.status, attempt: r.attempt ?? 1, iteration: r.iteration ?? run.iteration, branch: r.branch ?? null,
      output: r.output ?? undefined, error: asError(r.error), startedAt: r.started_at ?? undefined,
      endedAt: r.ended_at ?? undefined,
    });
    const node = d.node(run.nodeId);
    Object.assign(node, {
      status: r.status, attempt: run.attempt, iteration: Math.max(node.iteration, run.iteration),
    });
  }
  for (const m of messages) {
    const message = messageOf(d, stub(m.node_id, m.run_id), m.message_id ?? m.id ?? "", m.agent_id);
    Object.assign(message, {
      text: m.content, role: m.role, thinking: m.thinking ?? "", state: "done", at: m.created_at ?? message.at,
      tokens: m.token_count ?? undefined, finishReason: m.finish_reason ?? undefined,
    });
  }
  for (const [id, status] of Object.entries(session.node_statuses ?? {})) d.node(id).status = status;
  for (const w of session.waiting_on ?? []) {
    const run = d.run(stub(w.node_id, undefined));
    d.put("interrupts", {
      id: w.interrupt_id, nodeId: w.node_id, runId: run?.id ?? "", kind: w.kind, reason: "", actions: [],
      expiresAt: w.expires_at ?? undefined, state: "open", at: session.updated_at ?? "",
    });
    view.open = [...view.open, w.interrupt_id];
    if (run) d.item(run, { kind: "interrupt", id: w.interrupt_id });
  }
  return d.view;
}
