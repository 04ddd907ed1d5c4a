// What the page knows of one session: plain data, built from its events by reduce.ts and from nothing else
// (or from a snapshot, when the log no longer reaches back). Objects are never changed in place: a part
// that did not change keeps its identity, which is what lets a thousand tokens re-render one paragraph.
// One exception: in a live session the table `messages` is filled in place (reduce.ts, advance), because every
// token would copy it; select a message of it, never the table.

import type { ErrorInfo, Json, JsonObject, JsonSchema, NodeStatus, Usage } from "@sluice/client";

/** One execution of one node. A node has several: one per iteration, and one per attempt where the server says so. */
export interface RunView {
  id: string;
  nodeId: string;
  status: NodeStatus;
  attempt: number;
  iteration: number;
  branch: Json;
  /** Of the innermost map that the node is inside of; from 0. */
  item?: number;
  output?: Json;
  error?: ErrorInfo;
  firstSeq: number;
  startedAt?: string;
  endedAt?: string;
  /** What happened in this run, in order. */
  items: ItemRef[];
  usage?: Usage;
  /** The session that a subworkflow node runs. */
  childId?: string;
  /** When it stood and waited: for a person, a signal, a child. */
  waits?: { at: string; until?: string }[];
}

/** A time in which the whole session stood still. */
export interface PauseView {
  seq: number;
  at: string;
  until?: string;
  reason?: string;
}

/** A run with more items than this stands in several blocks of the conversation. */
export const RUN_ITEMS_MAX = 12;

export interface ItemRef {
  kind: "message" | "tool" | "interrupt" | "note";
  id: string;
}

export interface MessageView {
  id: string;
  nodeId: string;
  runId: string;
  agentId?: string;
  role: string;
  text: string;
  thinking: string;
  /** void: a restarted attempt left nothing and nothing came after it */
  state: "streaming" | "done" | "cut";
  restarts: string[];
  /** The view began in the middle of this message; its first part comes with the whole message. */
  headMissing: boolean;
  finishReason?: string;
  tokens?: number;
  at: string;
}

export interface ToolView {
  id: string;
  tool: string;
  status: "started" | "completed" | "failed";
  input?: Json;
  output?: Json;
  error?: ErrorInfo;
}

export interface InterruptView {
  id: string;
  nodeId: string;
  runId: string;
  kind: string;
  reason: string;
  actions: string[];
  draft?: Json;
  formSchema?: JsonSchema;
  expiresAt?: string;
  expiresInMs?: number;
  /** Counts what happened to it while it was open: a vote of several, an item of a stage. */
  moves?: number;
  state: "open" | "answered" | "expired" | "closed";
  action?: string;
  data?: Json;
  reviewer?: string;
  at: string;
  answeredAt?: string;
}

export interface NoteView {
  id: string;
  kind: "said" | "log" | "error" | "vote" | "tally" | "fact" | "round" | "budget" | "breaker" | "signal";
  /** What somebody or something said; the words around it are the page's, made of `data`. */
  text: string;
  detail?: string;
  level?: string;
  who?: string;
  data?: JsonObject;
  at: string;
}

export interface LoopView {
  round: number;
  maxRounds?: number;
  score?: number;
  history: number[];
  exitReason?: string;
}

export interface NodeView {
  id: string;
  status: NodeStatus;
  runIds: string[];
  iteration: number;
  attempt: number;
  loop?: LoopView;
  /** Items of a map, steps of a sequence, points of a stage: how many of them are done. */
  progress?: { done: number; total: number };
}

/** What stands in the conversation, in order of first appearance. */
export type OrderEntry = { kind: "run"; id: string } | { kind: "note"; id: string };

export interface SessionView {
  sessionId: string;
  lastSeq: number;
  /** When the newest event happened: the "now" of a replay, and of what stands still. */
  at?: string;
  status: string;
  reason?: string;
  quiesced: boolean;
  /** Sequence number of the pause that holds now. */
  pausedSeq?: number;
  pauses: PauseView[];
  startedAt?: string;
  endedAt?: string;
  /** Time spent running, to `runningSince`; pauses do not count. */
  activeMs: number;
  runningSince?: string;
  error?: ErrorInfo;
  output?: Json;
  usage: Usage;
  nodes: Record<string, NodeView>;
  runs: Record<string, RunView>;
  messages: Record<string, MessageView>;
  tools: Record<string, ToolView>;
  interrupts: Record<string, InterruptView>;
  notes: Record<string, NoteView>;
  order: OrderEntry[];
  /** Moves when the conversation's shape does (a run begins, changes its state, or has something to show for the
   *  first time), and never with a token. */
  shape: number;
  /** How often a stage has moved: an item was ticked off, a deliverable handed over. */
  stages: number;
  /** Open interrupts, oldest first. */
  open: string[];
  /** true when the log began after the session did. */
  fromSnapshot: boolean;
}

export const TERMINAL = new Set(["completed", "failed", "cancelled"]);

export function emptyView(sessionId: string): SessionView {
  return {
    sessionId,
    lastSeq: 0,
    status: "pending",
    quiesced: false,
    activeMs: 0,
    pauses: [],
    usage: { input_tokens: 0, output_tokens: 0 },
    nodes: {}, runs: {}, messages: {}, tools: {}, interrupts: {}, notes: {},
    order: [],
    shape: 0,
    stages: 0,
    open: [],
    fromSnapshot: false,
  };
}
