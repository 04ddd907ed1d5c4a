// The contract's objects as the page reads them. Fields that the page never looks at are left out; what a
// server may omit is optional here, and read with a default.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export type SessionStatus = "pending" | "running" | "paused" | "completed" | "failed" | "cancelled";
export type NodeStatus = "pending" | "running" | "completed" | "failed" | "skipped" | "suspended";

export interface ErrorInfo {
  code?: string;
  message: string;
  node_id?: string | null;
}

export interface Usage {
  input_tokens: number;
  output_tokens: number;
  cost_usd?: number | null;
}

export interface WaitingOn {
  node_id: string;
  interrupt_id: string;
  kind: string;
  expires_at?: string | null;
}

export interface Session {
  id: string;
  name?: string | null;
  workflow_id?: string | null;
  workflow_version?: number | null;
  status: SessionStatus | string;
  reason?: string | null;
  input?: Json;
  output?: Json;
  error?: ErrorInfo | null;
  node_statuses?: Record<string, NodeStatus>;
  waiting_on?: WaitingOn[];
  usage?: Usage | null;
  budget?: { tokens?: number | null; cost_usd?: number | null; on_limit?: "pause" | "fail" | null } | null;
  tags?: string[];
  metadata?: JsonObject;
  parent?: { session_id: string; seq: number } | null;
  user_id?: string | null;
  group_id?: string | null;
  last_seq?: number;
  created_at?: string;
  started_at?: string | null;
  ended_at?: string | null;
  updated_at?: string;
}

export interface WorkflowNode {
  type: string;
  name?: string;
  next_ids?: string[];
  routes?: Record<string, string>;
  on_error?: string;
  properties?: JsonObject;
}

export interface Workflow {
  id: string;
  name?: string;
  description?: string;
  version?: number;
  start_node_id?: string;
  input_schema?: JsonSchema | null;
  nodes?: Record<string, WorkflowNode>;
  updated_at?: string;
}

export interface JsonSchema {
  type?: string | string[];
  title?: string;
  description?: string;
  default?: Json;
  examples?: Json[];
  enum?: Json[];
  const?: Json;
  format?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  required?: string[];
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | boolean;
  items?: JsonSchema | boolean;
  oneOf?: JsonSchema[];
  anyOf?: JsonSchema[];
  allOf?: JsonSchema[];
  contentMediaType?: string;
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  /** What a form may make of it; the server does not look. */
  "x-multiline"?: boolean;
}

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export interface Message {
  message_id?: string;
  id?: string;
  node_id?: string | null;
  run_id?: string | null;
  role: string;
  agent_id?: string | null;
  content: string;
  thinking?: string | null;
  token_count?: number | null;
  finish_reason?: string | null;
  created_at?: string;
}

export interface NodeRun {
  run_id?: string;
  id?: string;
  node_id: string;
  status: NodeStatus;
  attempt?: number;
  iteration?: number;
  branch?: Json;
  output?: Json;
  error?: ErrorInfo | string | null;
  started_at?: string | null;
  ended_at?: string | null;
}

interface EventOf<T extends string, D> {
  seq: number;
  session_id: string;
  type: T;
  timestamp: string;
  node_id?: string | null;
  run_id?: string | null;
  data: D;
}

export type SessionStateChange = EventOf<"session_state_change", {
  from: string; to: string; reason?: string | null; quiesced?: boolean; output?: Json; error?: ErrorInfo | null;
}>;
export type NodeStateChange = EventOf<"node_state_change", {
  from: NodeStatus; to: NodeStatus; attempt?: number; iteration?: number; item?: number; branch?: Json;
  output?: Json; error?: ErrorInfo | string | null; interrupt_id?: string; child_session_id?: string;
}>;
export type TokenStream = EventOf<"token_stream", {
  message_id: string; agent_id?: string | null; index: number; chunk: string; is_thinking?: boolean;
}>;
export type StreamReset = EventOf<"stream_reset", { message_id: string; reason?: string }>;
export type MessageEvent_ = EventOf<"message", {
  message_id: string; role: string; agent_id?: string | null; content: string;
  token_count?: number | null; finish_reason?: string | null;
}>;
export type TokenUsage = EventOf<"token_usage", Usage & { model?: string; provider?: string; session?: Usage }>;
export type ToolExecution = EventOf<"tool_execution", {
  call_id: string; tool: string; status: "started" | "completed" | "failed";
  input?: Json; output?: Json; error?: ErrorInfo | string | null;
}>;
export type LoopRound = EventOf<"loop_round", {
  round: number; max_rounds?: number; score?: number | null; history?: Json; exit_reason?: string | null;
}>;
export type VoteCast = EventOf<"vote_cast", { voter: string; decision: string; score?: number | null; reasoning?: string }>;
export type VoteResult = EventOf<"vote_result", { passed: boolean; tally: JsonObject }>;
export type FactCheck = EventOf<"fact_check_progress", {
  current: number; total: number; claim?: string; verdict?: string; sources?: Json;
}>;
export type HumanRequired = EventOf<"human_interaction_required", {
  interrupt_id: string; kind?: string; reason?: string | null; actions?: Json; draft?: Json;
  form_schema?: JsonSchema | null; expires_at?: string | null;
}>;
export type HumanExpired = EventOf<"human_interaction_expired", { interrupt_id: string; action_taken?: string }>;
export type HumanReminder = EventOf<"human_interaction_reminder", { interrupt_id: string; expires_in_ms?: number }>;
export type NodeResumed = EventOf<"node_resumed", {
  interrupt_id?: string; action: string; data?: Json; reviewer?: string | null; final?: boolean;
}>;
export type UserInput = EventOf<"user_input", { content: string; user_id?: string | null }>;
export type SignalReceived = EventOf<"signal_received", { name: string; payload?: Json }>;
export type LogEvent = EventOf<"log", { level?: string; text: string }>;
export type BudgetReached = EventOf<"budget_reached", { limit?: Json; used?: Json }>;
export type BreakerTripped = EventOf<"breaker_tripped", { detector?: string; value?: Json; limit?: Json }>;
export type ErrorEvent_ = EventOf<"error", { code?: string; error: string }>;
export type ParallelStart = EventOf<"parallel_start", { branches: Json }>;
export type OtherEvent = EventOf<
  "stage_progress" | "memory_retrieved" | "knowledge_updated", JsonObject>;

export type SessionEvent =
  | SessionStateChange | NodeStateChange | TokenStream | StreamReset | MessageEvent_ | TokenUsage
  | ToolExecution | ParallelStart | LoopRound | VoteCast | VoteResult | FactCheck | HumanRequired
  | HumanExpired | HumanReminder | NodeResumed | UserInput | SignalReceived | LogEvent | BudgetReached
  | BreakerTripped | ErrorEvent_ | OtherEvent;

export interface Subscribed {
  type: "subscribed";
  session_id?: string;
  verdict?: "recovered" | "snapshot";
  last_seq?: number;
  session?: Session;
}

/** What is not an event: the connection talking about itself. */
export type ControlFrame =
  | { type: "batch"; events: SessionEvent[] }
  | Subscribed
  | { type: "ack"; request_id?: string }
  | { type: "pong" }
  | { type: "going_away"; retry_after_ms?: number }
  | { type: "error"; request_id?: string; code?: string; error?: string };
