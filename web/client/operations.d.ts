// Made by generate.mjs from docs/api/openapi.yaml. Do not edit.
import type { Json, JsonObject, Message, NodeRun, Session, Usage, Workflow } from "./types";
import type { CallOptions } from "./index";

export type ScheduleBody = { id?: Id; name?: string; workflow_id: Name; cron: string; time_zone?: string; input?: JsonObject; missed?: "skip" | "once" | "all"; overlap?: "allow" | "skip" | "cancel"; enabled?: boolean; next_at?: Json; last_at?: Json; last_session_id?: Json; last_error?: Json; version?: Json; created_at?: Json; updated_at?: Json };
export type Schedule = { id: Id; name: string; workflow_id: Name; cron: string; time_zone: string; input: JsonObject; missed: "skip" | "once" | "all"; overlap: "allow" | "skip" | "cancel"; enabled: boolean; next_at: string | null; last_at: string | null; last_session_id: string | null; last_error: null | { at: string; message: string }; version: number; created_at: string; updated_at: string };
export type ScheduleList = { items: Array<Schedule>; next_cursor: string | null };
export type AuditList = { items: Array<AuditEntry>; next_cursor: string | null };
export type AuditEntry = { id: Id; at: string; actor: string; role: string | null; key_id: string | null; action: string; session_id: string | null; object: string | null; remote: string | null; status: number; code: string | null };
export type EstimateTokens = { input: number; output: number; total: number };
export type Estimate = { tokens: EstimateTokens; cost_usd: number | null; seconds: number; nodes: Array<{ node_id: string; runs: number; calls: number; tokens: EstimateTokens; cost_usd: number | null }>; agents: Array<{ agent_id: string; runs: number; tokens: EstimateTokens; cost_usd: number | null }>; warnings: Array<{ node_id?: string; code: string; message: string }> };
export type Diagram = { id: string | null; name: string | null; version: number; start_node_id: string; levels: number; nodes: Array<{ id: string; name: string; type: string; level: number; position: number; branch: string | null; container: string | null; status?: string }>; edges: Array<{ from: string; to: string; kind: "next" | "route" | "case" | "default" | "error" | "entry"; label: string | null; back: boolean }> };
export type Id = string;
export type Name = string;
export type Error = { error: string; code: string; details?: Json };
export type Issue = { node_id?: string; path: string; code: string; message: string; agent_id?: string; fix?: string };
export type Graph = JsonObject;
export type WorkflowList = { items: Array<Workflow>; next_cursor: string | null };
export type Stored = { id: Name; name: string; system: boolean; version: number; created_at: string | null; updated_at: string | null };
export type AgentBody = { id?: Name; name?: string; description?: string; category?: string; avatar?: string; persona?: string; provider?: Name; model?: string | Array<string | { provider?: Name; model: string }>; temperature?: number; top_p?: number; max_tokens?: number; capabilities?: Array<string>; tools?: Array<string | JsonObject>; max_tool_rounds?: number; memory?: false | { group_results?: number; agent_results?: number } };
export type Agent = (AgentBody) & (Stored);
export type GroupBody = { id?: Name; name?: string; description?: string; category?: string; icon?: string; system_prompt?: string; default_agent_ids?: Array<Name>; memory?: { promote?: "auto" | "manual" } };
export type Group = (GroupBody) & (Stored);
export type TemplateBody = { id?: Name; name?: string; description?: string; category?: string; graph?: Graph; parameters?: JsonObject; workflow_id?: Name; workflow_version?: number };
export type TemplateItem = (TemplateBody) & (Stored);
export type Template = (TemplateItem) & (JsonObject);
export type ProviderList = { items: Array<Provider>; next_cursor: string | null };
export type Provider = { id: Name; dialect: "openai" | "anthropic" | "demo"; default_model: string | null; models: Array<string>; state: "closed" | "open" | "recovering"; retry_in_ms: number | null; queue: number; in_flight: number; max_concurrent: number };
export type PriceList = { items: Array<Price>; next_cursor: string | null };
export type Price = { provider: string | null; model: string; input: number; output: number; source: "file" | "settings" | "builtin"; as_of: string | null };
export type Role = "viewer" | "operator" | "editor" | "admin";
export type KeyNew = { name: string; role: Role; workspace?: Name; expires_at?: string | null };
export type KeyList = { items: Array<Key>; next_cursor: string | null };
export type Key = { id: Id; key?: string; name: string; role: Role; workspace: string; prefix: string; status: "active" | "expired" | "revoked"; created_at: string; last_used_at: string | null; expires_at: string | null; revoked_at: string | null };
export type Whoami = { kind: "anonymous" | "key" | "token"; name: string; role: Role; workspace: string; key_id: Id | null; expires_at: string | null; auth: "auto" | "required" | "off" };
export type InstanceList = { items: Array<Instance>; next_cursor: null };
export type Instance = { id: Id; name: string; address: string; version: string; self: boolean; leaving: boolean; lease: "held" | "over"; sessions: number; started_at: string; seen_at: string };
export type Budget = { tokens?: number | null; cost_usd?: number | null; on_limit?: "pause" | "fail" | null };
export type Execute = { workflow_id?: Name; workflow_version?: number; graph?: Graph; input?: JsonObject; attachments?: Array<{ name: string; content: string; media_type?: string }>; name?: string; group_id?: string; user_id?: string; tags?: Array<string>; metadata?: JsonObject; budget?: Budget; start_paused?: boolean; stage?: Name };
export type UsageSum = { input_tokens: number; output_tokens: number; total_tokens: number; cost_usd: number | null; calls: number; unpriced_calls: number; estimated_calls: number };
export type StatusCounts = { [key: string]: number };
export type StoredSession = { id?: Id; status?: string | null; name?: string | null; user_id?: string | null; group_id?: Name | null; workflow_id?: Name | null; tags?: Array<string> | null; metadata?: JsonObject | null; settings?: JsonObject | null; thread_configs?: JsonObject | null; workflow_state?: JsonObject | null };
export type SessionList = { items: Array<Session>; corrupt?: Array<Id>; next_cursor: string | null };
export type Event = { seq: number; session_id: Id; type: string; timestamp: string; node_id?: string; run_id?: Id; data: JsonObject };
export type Interrupt = { interrupt_id: Id; session_id: Id; session_name?: string | null; workflow_id?: string | null; node_id: string; kind: "approve_reject" | "edit_content" | "form" | "user_input" | "stage"; status: "pending" | "answered" | "expired" | "cancelled"; reason: string; actions: Array<string>; draft?: string; form_schema?: JsonObject; reviewers?: Array<string>; quorum?: number; reject_quorum?: number; votes?: Array<{ reviewer?: string; action?: string; data?: Json; at?: string }>; answer: { action?: string; data?: Json; reviewer?: string | null; at?: string; content?: string; diff?: string; votes?: Array<Json> } | null; expires_at: string | null; created_at: string; updated_at?: string | null };
export type WebhookFilter = { workflow_id?: string; group_id?: string; session_id?: Id; status?: string | Array<string>; metadata?: JsonObject };
export type WebhookChange = { url?: string; name?: string | null; events?: Array<string>; filter?: WebhookFilter; secret?: string; enabled?: boolean };
export type Webhook = { id: Id; name: string | null; url: string; events: Array<string>; filter: WebhookFilter; enabled: boolean; disabled_reason: string | null; sessions_behind: number; failing_since: string | null; secret?: string; version: number; created_at: string; updated_at: string };
export type WebhookDelivery = { id: Id; session_id: Id; seq: number; type: string; status: "delivered" | "failed"; attempts: number; http_status: number | null; duration_ms: number; error: string | null; next_at: string | null; delivered?: boolean; created_at: string; updated_at: string };
export type EntryStatus = "PENDING" | "IN_PROGRESS" | "ON_HOLD" | "COMPLETED" | "FAILED" | "CANCELED";
export type StatusEntry = { id: string; type: "FLOW"; status: "PENDING" | "IN_PROGRESS" | "ON_HOLD" | "COMPLETED" | "FAILED" | "CANCELED" | "UNKNOWN"; progress: number; current_stage: null | { node_id: string; name: string | null }; name: string; session_id: Id; session_status: string; reason?: string | null; created_at?: string | null; updated_at: string | null; version: number };
export type Stage = { instance_id: string | null; session_id: Id; node_id: string; name: string; description?: string | null; status: "pending" | "active" | "completed" | "skipped" | "expired" | "cancelled"; items: Array<{ name: string; required: boolean; done: boolean }>; done: number; total: number; deliverables: Array<{ name: string; required: boolean; value: Json }>; context: JsonObject; depends_on?: Array<string>; estimated_minutes?: number; weight?: number; order?: number; allow_skip?: boolean; started_at?: string | null; started_by?: string | null; skip_reason?: string; completed_by?: string | null; completed_at?: string | null; expires_at?: string | null; created_at?: string | null; updated_at?: string | null };
export type Progress = { session_id: Id; status: string; percent: number; done: number; total: number; weight_done: number; weight_total: number; estimated_minutes_left: number | null; current: Array<Stage>; stages: Array<{ node_id: string; name: string; status: "pending" | "active" | "completed" | "skipped" | "expired" | "cancelled"; instance_id: string | null; items_done: number; items_total: number; percent: number; weight: number; estimated_minutes?: number; active_since: string | null; started_at: string | null; ended_at: string | null }> };
export type Imported = { workflow: { id: Name; name: string; version: number }; format: "native" | "staged"; fixes: Array<Issue>; errors: Array<Json>; warnings: Array<Issue> };
export type Current = { user_id: string; session_id: string | null; session: Session | null };
export type StageChange = { items?: Array<{ name?: string; index?: number; done?: boolean }>; deliverables?: JsonObject | Array<Json>; context?: JsonObject; reviewer?: string };
export type File = { path: string; version: number; from_version: number; size: number; deleted: boolean; media_type?: string | null; author?: string | null; reason?: string | null; run_id?: string | null; seq: number; created_at: string };
export type MemoryTier = "quarantine" | "working" | "long_term";
export type Memory = { id: Id; source_id: Id; content: string; source: "hot" | "cold"; tier: MemoryTier; group_id: Name; agent_id: string | null; session_id: string | null; metadata: JsonObject; chunk: number; chunks: number; model: string | null; hits: number; created_at: string; updated_at: string };
export type Task = { id: Id; queue: string; key: string; input: Json; session_id: Id; node_id: string; attempt: number; heartbeat_ms: number; lease_expires_at: string };

/** One method for each operation, by its name there. */
export interface Operations {
  /** Newest versions, by id, without their graphs */
  listWorkflows(query?: { q?: string | null; type?: string | null; limit?: number | null; cursor?: string | null }, options?: CallOptions): Promise<WorkflowList>;
  /** Store a new workflow */
  createWorkflow(body?: Graph | string, options?: CallOptions): Promise<Workflow>;
  getWorkflow(id: string, query?: { version?: number | null }, options?: CallOptions): Promise<Workflow>;
  /** A new version (or the first) */
  putWorkflow(id: string, body?: Graph | string, options?: CallOptions): Promise<Workflow>;
  /** Its running sessions go on with the version they started with */
  deleteWorkflow(id: string, options?: CallOptions): Promise<null>;
  /** Newest first */
  listWorkflowVersions(id: string, query?: { limit?: number | null; cursor?: string | null }, options?: CallOptions): Promise<WorkflowList>;
  /** A picture of the graph */
  workflowDiagram(id: string, query?: { format?: "mermaid" | "dot" | "json" | null; version?: number | null; session_id?: Id | null }, options?: CallOptions): Promise<string | Diagram>;
  /** A workflow from a sentence, by a model; nothing is stored */
  generate(body: { prompt: string; provider?: Name; model?: string }, options?: CallOptions): Promise<{ graph: JsonObject; explanation: string; similar_templates: Array<{ id: string; name: string; description?: string }> }>;
  /** Tokens, money and time that a run will probably take */
  estimate(body: { workflow_id?: Name; workflow_version?: number; graph?: JsonObject; input?: JsonObject }, options?: CallOptions): Promise<Estimate>;
  estimateWorkflow(id: string, body?: { workflow_version?: number; input?: JsonObject }, options?: CallOptions): Promise<Estimate>;
  /** The JSON Schema of a workflow's shape, for editors */
  workflowSchema(options?: CallOptions): Promise<JsonObject>;
  /** Every error and warning at once, each with its path */
  validateWorkflow(body?: Graph | string, options?: CallOptions): Promise<{ valid: boolean; errors: Array<Issue>; warnings: Array<Issue>; format?: "staged"; fixes?: Array<Issue>; staged?: JsonObject; workflow?: JsonObject }>;
  /** Store a workflow that comes as a file, native or staged */
  importWorkflow(body?: Graph | string, options?: CallOptions): Promise<Imported>;
  /** The definition as a file to be read and edited; imported and exported again it has the same bytes */
  exportWorkflow(id: string, query?: { format?: "json" | "yaml" | null; as?: "native" | "staged" | null; version?: number | null }, options?: CallOptions): Promise<JsonObject | string>;
  /** Start a session; validated and durable before the answer */
  execute(body: Execute, options?: CallOptions): Promise<{ session_id: Id; status: "started" }>;
  /** Newest first, unless order=asc */
  listSessions(query?: { status?: string | null; workflow_id?: string | null; group_id?: string | null; user_id?: string | null; tag?: string | null; q?: string | null; metadata?: { [key: string]: string } | null; created_after?: string | null; created_before?: string | null; order?: "asc" | "desc" | null; limit?: number | null; cursor?: string | null }, options?: CallOptions): Promise<SessionList>;
  getSession(id: string, options?: CallOptions): Promise<Session>;
  sessionExists(id: string, options?: CallOptions): Promise<boolean>;
  /** Creates or replaces a stored session; of one that was executed here, what programs keep with it */
  saveSession(id: string, body: StoredSession, options?: CallOptions): Promise<Session>;
  /** Merged deeply: arrays replace, null deletes */
  patchSession(id: string, body: StoredSession, options?: CallOptions): Promise<Session>;
  /** With its events, messages and runs; 409 while it is live */
  deleteSession(id: string, options?: CallOptions): Promise<null>;
  /** Counts, durations, failures and usage, of the newest 200,000 sessions that match */
  sessionStats(query?: { workflow_id?: string | null; group_id?: string | null; created_after?: string | null; created_before?: string | null }, options?: CallOptions): Promise<{ truncated: boolean; total: number; by_status: StatusCounts; by_workflow: Array<{ workflow_id: string | null; by_status: StatusCounts; total: number }>; by_day: Array<{ day: string; by_status: StatusCounts; total: number }>; durations: { count: number; mean_ms: number | null; p50_ms: number | null; p90_ms: number | null; p99_ms: number | null; max_ms: number | null }; failures: Array<{ code: string; count: number }>; usage: { input_tokens: number; output_tokens: number; cost_usd: number } }>;
  /** Saves and deletes stored sessions, all or nothing */
  batchSessions(body: { save?: Array<(StoredSession) & (JsonObject)>; delete?: Array<Id> }, options?: CallOptions): Promise<{ saved: Array<{ id: Id; version: number; created: boolean }>; deleted: Array<Id> }>;
  /** Between two tokens; no event follows until the resume */
  pauseSession(id: string, body?: { reason?: string; mode?: "buffer" | "hold"; timers?: "freeze" | "run" }, options?: CallOptions): Promise<{ status: string; seq: number }>;
  /** Go on; 409 budget_exhausted or breaker_tripped when that needs a larger budget or a justification */
  resumeSession(id: string, body?: { budget?: Budget; justification?: string }, options?: CallOptions): Promise<{ status: string; seq: number }>;
  /** Ends as cancelled; what was streamed is kept */
  cancelSession(id: string, body?: { reason?: string }, options?: CallOptions): Promise<{ status: string; seq: number }>;
  /** Ends as failed, with code "stopped" */
  stopSession(id: string, body?: { reason?: string }, options?: CallOptions): Promise<{ status: string; seq: number }>;
  /** Answer a node that waits for a person; applied at most once */
  resumeNode(id: string, nodeId: string, body: { action: string; data?: Json; reviewer?: string; interrupt_id?: Id }, options?: CallOptions): Promise<{ status: string; seq: number }>;
  /** To the signal node that waits for the name, or to the one named; taken once */
  signalSession(id: string, body: { node_id?: string; name?: string; payload?: Json }, options?: CallOptions): Promise<{ status: string; seq: number }>;
  /** A new session that goes on from a point of this one, which stays as it is */
  forkSession(id: string, body: { after_seq?: number; node_id?: string; input?: JsonObject; vars?: JsonObject }, options?: CallOptions): Promise<{ session_id: Id }>;
  /** A new session that goes on from the node that failed, or from node_id */
  retrySession(id: string, body?: { node_id?: string }, options?: CallOptions): Promise<{ session_id: Id }>;
  /** Answers the user_input node that waits; while none does, an interjection */
  sayIntoSession(id: string, body: { content: string; user_id?: string }, options?: CallOptions): Promise<{ status: string; seq: number }>;
  /** Events with seq > after, in order; next_cursor is the next `after` */
  listEvents(id: string, query?: { after?: number | null; types?: string | null; limit?: number | null }, options?: CallOptions): Promise<{ items: Array<Event>; next_cursor: string | null }>;
  listMessages(id: string, query?: { limit?: number | null; cursor?: string | null; node_id?: string | null; agent_id?: string | null; role?: "user" | "assistant" | "system" | null }, options?: CallOptions): Promise<{ items: Array<Message>; next_cursor: string | null }>;
  /** What the session's model calls used, by node, agent and model */
  getSessionUsage(id: string, options?: CallOptions): Promise<{ session: UsageSum; nodes: Array<(UsageSum) & ({ node_id: string })>; agents: Array<(UsageSum) & ({ agent_id: string })>; models: Array<(UsageSum) & ({ provider: string | null; model: string | null })>; children: Array<{ session_id: Id; status: string; input_tokens: number; output_tokens: number; cost_usd: number | null }> }>;
  /** What model calls of the workspace, or of a group, used by day, group, node, agent or model */
  getUsage(query?: { group_id?: string | null; from?: string | null; until?: string | null; by?: string | null }, options?: CallOptions): Promise<{ from: string; until: string; items: Array<(UsageSum) & ({ day?: string; group_id?: string | null; node_id?: string; agent_id?: string | null; provider?: string | null; model?: string | null })>; total: UsageSum; truncated: boolean }>;
  /** The newest version of each file, by path */
  listFiles(id: string, query?: { limit?: number | null; cursor?: string | null }, options?: CallOptions): Promise<{ items: Array<File>; next_cursor: string | null }>;
  /** Every version of one file, the newest first */
  listFileVersions(id: string, query?: { path?: string | null; limit?: number | null; cursor?: string | null }, options?: CallOptions): Promise<{ items: Array<File>; next_cursor: string | null }>;
  /** One version of a file; bytes that are not UTF-8 come in base64 */
  readFile(id: string, query?: { path?: string | null; version?: number | null }, options?: CallOptions): Promise<{ file: File; encoding: "utf-8" | "base64"; content: string }>;
  /** What has changed between two versions of a text, as a unified diff; empty when nothing has */
  diffFile(id: string, query?: { path?: string | null; from?: number | null; to?: number | null }, options?: CallOptions): Promise<string>;
  /** All that there is of a session, as one file of JSON lines */
  exportSession(id: string, options?: CallOptions): Promise<string>;
  /** Take in a session that was exported */
  importSession(body: string, options?: CallOptions): Promise<{ session_id: Id; status: string }>;
  /** What a session wrote into memory, and what it was given from it */
  sessionKnowledge(id: string, query?: { layer?: "hot" | "cold" | "quarantine" | null; q?: string | null; limit?: number | null }, options?: CallOptions): Promise<{ items: Array<(Memory) & ({ relation: "written" | "retrieved"; layer: "hot" | "cold" | "quarantine" })>; next_cursor: null }>;
  /** Remember a text */
  ingestMemory(body: { group_id: Name; agent_id?: Name; session_id?: Id; content: string; metadata?: JsonObject; tier?: MemoryTier }, options?: CallOptions): Promise<{ id: Id; ids: Array<Id>; chunks: number; tier: MemoryTier; embedded: boolean; model: string | null }>;
  /** What a group remembers that fits a question, the best first */
  queryMemory(body: { group_id: Name; query: string; agent_id?: Name; session_id?: Id; max_results?: number; tiers?: Array<MemoryTier>; time_range_days?: number; created_after?: string; created_before?: string; relevance_threshold?: number }, options?: CallOptions): Promise<{ items: Array<(Memory) & ({ score: number; text_score?: number; vector_score?: number })>; embedded: boolean }>;
  /** Chunks, the newest first */
  listMemories(query?: { group_id?: Name | null; agent_id?: Name | null; session_id?: Id | null; tier?: MemoryTier | null; limit?: number | null; cursor?: string | null }, options?: CallOptions): Promise<{ items: Array<Memory>; next_cursor: string | null }>;
  getMemory(id: string, options?: CallOptions): Promise<Memory>;
  /** Forget a chunk, or a whole text */
  deleteMemory(id: string, options?: CallOptions): Promise<null>;
  /** Move a chunk, or a whole text, to another tier by hand */
  promoteMemory(id: string, body: { tier: MemoryTier }, options?: CallOptions): Promise<{ id: Id; tier: MemoryTier; changed: number }>;
  /** Take work from a queue, waiting for some */
  leaseTasks(body: { queue: string; max?: number; wait_ms?: number; worker?: string }, options?: CallOptions): Promise<{ items: Array<Task> }>;
  /** Keep a lease; 404 or 409 means to stop working on it */
  heartbeatTask(id: string, body?: { attempt?: number; log?: string; level?: string }, options?: CallOptions): Promise<{ lease_expires_at: string }>;
  /** The node's output; counts once, of the newest lease only */
  completeTask(id: string, body: { output?: Json; attempt?: number }, options?: CallOptions): Promise<{ status: string; seq: number }>;
  /** A failure of the node; its retry policy makes a new task, unless retry is false */
  failTask(id: string, body: { error: { code: string; message: string }; retry?: boolean; attempt?: number }, options?: CallOptions): Promise<{ status: string; seq: number }>;
  /** The graph that it runs, coloured by its nodes' statuses */
  sessionDiagram(id: string, query?: { format?: "mermaid" | "dot" | "json" | null }, options?: CallOptions): Promise<string | Diagram>;
  /** All stages of the session's workflow, in their order */
  listStages(id: string, query?: { limit?: number | null; cursor?: string | null; history?: boolean | null }, options?: CallOptions): Promise<{ items: Array<Stage>; next_cursor: string | null }>;
  /** Say that somebody has begun with a stage; 200 when somebody had */
  startStage(id: string, body: { stage_id: Name; reviewer?: string }, options?: CallOptions): Promise<Stage>;
  /** How far the session is, by its stages and their weights */
  sessionProgress(id: string, options?: CallOptions): Promise<Progress>;
  /** What can come next, as commands that work as they stand */
  sessionNext(id: string, options?: CallOptions): Promise<{ session_id: Id; status: string; commands: Array<{ command: string; why: string; request: { method: string; path: string; body?: JsonObject } }> }>;
  /** What a person or a program should know to go on with the session */
  sessionContext(id: string, query?: { format?: "json" | "text" | null }, options?: CallOptions): Promise<string | { workflow: { id?: string | null; version?: number; name?: string | null; type?: string | null; description?: string | null; source_rule?: Json }; session: JsonObject; current: Array<Stage>; before: Array<Stage>; after: Array<Stage> }>;
  /** Every attempt of every node with its waits, and the session's pauses */
  sessionTimeline(id: string, query?: { limit?: number | null; cursor?: string | null }, options?: CallOptions): Promise<{ session: JsonObject; items: Array<{ run_id: Id; node_id: string; kind: string; status: string; iteration: number; attempt: number; branch?: string; started_at: string | null; ended_at: string | null; duration_ms: number | null; error?: JsonObject; waits: Array<JsonObject> }>; next_cursor: string | null; pauses?: Array<JsonObject>; paused_ms?: number; pauses_complete?: boolean }>;
  /** The session that somebody works on when they name none */
  getCurrent(query?: { user_id?: string | null }, options?: CallOptions): Promise<Current>;
  putCurrent(body: { session_id: Id; user_id?: string }, options?: CallOptions): Promise<Current>;
  deleteCurrent(options?: CallOptions): Promise<null>;
  getStage(instanceId: string, options?: CallOptions): Promise<Stage>;
  /** Tick items off, hand over deliverables, note what is of use */
  updateStage(instanceId: string, body: StageChange, options?: CallOptions): Promise<Stage>;
  /** The stage is done; its session goes on */
  completeStage(instanceId: string, body?: StageChange, options?: CallOptions): Promise<{ status: string; seq: number }>;
  /** Leave the stage out; its session goes on */
  skipStage(instanceId: string, body?: { reason?: string; reviewer?: string }, options?: CallOptions): Promise<{ status: string; seq: number }>;
  /** What people are asked, over all sessions, the oldest first */
  listReviews(query?: { status?: "pending" | "answered" | "expired" | "cancelled" | null; kind?: string | null; session_id?: Id | null; limit?: number | null; cursor?: string | null }, options?: CallOptions): Promise<{ items: Array<Interrupt>; next_cursor: string | null }>;
  getReview(interruptId: string, options?: CallOptions): Promise<Interrupt>;
  /** Every attempt of every node, in the order they started */
  listNodeRuns(id: string, query?: { limit?: number | null; cursor?: string | null }, options?: CallOptions): Promise<{ items: Array<NodeRun>; next_cursor: string | null }>;
  /** Who speaks in `agent` nodes and votes; by id, those that came with the server among them */
  listAgents(query?: { q?: string | null; category?: string | null; limit?: number | null; cursor?: string | null }, options?: CallOptions): Promise<{ items: Array<Agent>; next_cursor: string | null }>;
  /** The id is yours or is made */
  createAgent(body?: AgentBody | string, options?: CallOptions): Promise<Agent>;
  getAgent(id: string, options?: CallOptions): Promise<Agent>;
  /** Replaces it, or makes it */
  putAgent(id: string, body?: AgentBody | string, options?: CallOptions): Promise<Agent>;
  /** Merges into it; lists replace, null deletes */
  patchAgent(id: string, body: JsonObject | string, options?: CallOptions): Promise<Agent>;
  /** With detach=true it is taken out of its groups, and deleted though workflows name it */
  deleteAgent(id: string, options?: CallOptions): Promise<null>;
  /** Agents that belong together, their prompt and their memory; by id, those that came with the server among them */
  listGroups(query?: { q?: string | null; category?: string | null; limit?: number | null; cursor?: string | null }, options?: CallOptions): Promise<{ items: Array<Group>; next_cursor: string | null }>;
  /** The id is yours or is made */
  createGroup(body?: GroupBody | string, options?: CallOptions): Promise<Group>;
  getGroup(id: string, options?: CallOptions): Promise<Group>;
  /** Replaces it, or makes it */
  putGroup(id: string, body?: GroupBody | string, options?: CallOptions): Promise<Group>;
  /** Merges into it; lists replace, null deletes */
  patchGroup(id: string, body: JsonObject | string, options?: CallOptions): Promise<Group>;
  /** With detach=true it is deleted though sessions run in it or memories are kept for it; those stay */
  deleteGroup(id: string, options?: CallOptions): Promise<null>;
  /** Workflows to begin from, without their graphs; by id, those that came with the server among them */
  listTemplates(query?: { q?: string | null; category?: string | null; limit?: number | null; cursor?: string | null }, options?: CallOptions): Promise<{ items: Array<TemplateItem>; next_cursor: string | null }>;
  /** Of a graph, or of a stored workflow (workflow_id); the id is yours or is made */
  createTemplate(body?: TemplateBody | string, options?: CallOptions): Promise<Template>;
  getTemplate(id: string, options?: CallOptions): Promise<Template>;
  /** Replaces it, or makes it */
  putTemplate(id: string, body?: TemplateBody | string, options?: CallOptions): Promise<Template>;
  /** Merges into it; lists replace, null deletes */
  patchTemplate(id: string, body: JsonObject | string, options?: CallOptions): Promise<Template>;
  /** Workflows that were made of it stay */
  deleteTemplate(id: string, options?: CallOptions): Promise<null>;
  /** Stores a workflow made of the template */
  instantiateTemplate(id: string, body?: { id?: Name; name?: string; values?: JsonObject; parameters?: JsonObject }, options?: CallOptions): Promise<Workflow>;
  listWebhooks(query?: { limit?: number | null; cursor?: string | null }, options?: CallOptions): Promise<{ items: Array<Webhook>; next_cursor: string | null }>;
  /** Events from now on are told to it */
  createWebhook(body?: (WebhookChange) & (Json) | string, options?: CallOptions): Promise<Webhook>;
  getWebhook(webhookId: string, options?: CallOptions): Promise<Webhook>;
  /** Replaces all but the secret, unless one is given */
  putWebhook(webhookId: string, body?: (WebhookChange) & (Json) | string, options?: CallOptions): Promise<Webhook>;
  /** Changes the members that are given */
  patchWebhook(webhookId: string, body?: WebhookChange | string, options?: CallOptions): Promise<Webhook>;
  deleteWebhook(webhookId: string, options?: CallOptions): Promise<null>;
  /** What became of the newest deliveries, the newest first */
  listWebhookDeliveries(webhookId: string, query?: { status?: "delivered" | "failed" | null; session_id?: Id | null; limit?: number | null; cursor?: string | null }, options?: CallOptions): Promise<{ items: Array<WebhookDelivery>; next_cursor: string | null }>;
  /** Once more, at once, with the same Sluice-Delivery; what comes of it is the answer */
  replayWebhookDelivery(webhookId: string, deliveryId: string, body?: JsonObject, options?: CallOptions): Promise<WebhookDelivery>;
  /** A session's events once more, from a point */
  replayWebhook(webhookId: string, body: { session_id: Id; after?: number }, options?: CallOptions): Promise<{ status: "replaying"; after: number }>;
  /** Sends an event of type webhook_test; what comes of it is the answer */
  testWebhook(webhookId: string, body?: JsonObject, options?: CallOptions): Promise<{ delivered: boolean; http_status: number | null; duration_ms: number; error: string | null }>;
  /** Sessions as entries of a status system, the newest first */
  listStatus(query?: { type?: string | null; status?: EntryStatus | null; limit?: number | null; cursor?: string | null }, options?: CallOptions): Promise<{ items: Array<StatusEntry>; next_cursor: string | null }>;
  getStatus(entryId: string, options?: CallOptions): Promise<StatusEntry>;
  /** Drives the session */
  putStatus(entryId: string, body: { status: EntryStatus; progress?: number; note?: string }, options?: CallOptions): Promise<StatusEntry>;
  version(options?: CallOptions): Promise<null>;
  /** In the order in which they were made */
  listSchedules(query?: { q?: string | null; limit?: number | null; cursor?: string | null }, options?: CallOptions): Promise<ScheduleList>;
  /** A workflow that starts by the clock (docs/SCHEDULES.md) */
  createSchedule(body?: ScheduleBody | string, options?: CallOptions): Promise<Schedule>;
  getSchedule(id: string, options?: CallOptions): Promise<Schedule>;
  /** Replaces it, or makes it */
  putSchedule(id: string, body?: ScheduleBody | string, options?: CallOptions): Promise<Schedule>;
  /** Merges into it; null takes the default */
  patchSchedule(id: string, body: JsonObject | string, options?: CallOptions): Promise<Schedule>;
  /** Its sessions stay */
  deleteSchedule(id: string, options?: CallOptions): Promise<null>;
  /** Starts its workflow now, beside its times, whatever overlap says */
  runSchedule(id: string, body?: JsonObject, options?: CallOptions): Promise<{ session_id: Id; status: "started" }>;
  /** Who asked for what, and how it was answered; the newest first (docs/SECURITY.md) */
  readAudit(query?: { actor?: string | null; action?: string | null; object?: string | null; session_id?: Id | null; after?: string | null; before?: string | null; limit?: number | null; cursor?: string | null }, options?: CallOptions): Promise<AuditList>;
  /** The keys of one's workspace (an admin of default sees all), the oldest first; never their texts */
  listKeys(query?: { workspace?: Name | null; limit?: number | null; cursor?: string | null }, options?: CallOptions): Promise<KeyList>;
  /** A new key; its text is in this answer and nowhere else */
  createKey(body: KeyNew, options?: CallOptions): Promise<Key>;
  getKey(id: string, options?: CallOptions): Promise<Key>;
  /** Nobody comes in with it any more, and what it holds open is closed; its row stays */
  revokeKey(id: string, options?: CallOptions): Promise<null>;
  whoami(options?: CallOptions): Promise<Whoami>;
  /** A ticket for one WebSocket, for those who cannot send headers; good once, for half a minute, on any instance */
  createTicket(body?: JsonObject, options?: CallOptions): Promise<{ ticket: string; expires_in_ms: number }>;
  /** The servers that share one store; with the embedded store there is one */
  listInstances(query?: { limit?: number | null; cursor?: string | null }, options?: CallOptions): Promise<InstanceList>;
  /** The model providers, and how busy they are; never their keys */
  listProviders(query?: { limit?: number | null; cursor?: string | null }, options?: CallOptions): Promise<ProviderList>;
  /** What models cost, in dollars for a million tokens */
  listPrices(query?: { limit?: number | null; cursor?: string | null }, options?: CallOptions): Promise<PriceList>;
}
export type OperationName = keyof Operations;
