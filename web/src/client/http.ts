// The HTTP half of the contract, as typed calls. Every failure is an ApiError whose message is a sentence
// for a person; `code` tells the page what to do about it ("unreachable" when no server answered at all).

import type { Json, JsonObject, Message, NodeRun, Page, Session, Workflow } from "./types";

const BASE = "/api/v1";
const KEY_NAME = "sluice.key";
const TIMEOUT_MS = 20_000;

export class ApiError extends Error {
  constructor(
    message: string,
    readonly code: string,
    readonly status: number,
    readonly details: Json = null,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

/** The API key of this tab. It goes with the tab and is never written to disk by the page. */
export const apiKey = {
  get: () => sessionStorage.getItem(KEY_NAME) ?? "",
  set: (key: string) => (key ? sessionStorage.setItem(KEY_NAME, key) : sessionStorage.removeItem(KEY_NAME)),
};

interface CallOptions {
  body?: Json;
  raw?: { body: string; type: string };
  idempotencyKey?: string;
  signal?: AbortSignal;
}

async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (apiKey.get()) headers.Authorization = `Bearer ${apiKey.get()}`;
  if (options.idempotencyKey) headers["Idempotency-Key"] = options.idempotencyKey;
  let body: string | undefined;
  if (options.raw) {
    headers["Content-Type"] = options.raw.type;
    body = options.raw.body;
  } else if (options.body !== undefined) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(options.body);
  }
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  let text: string;
  try {
    response = await fetch(BASE + path, {
      method, headers, body, cache: "no-store",
      signal: options.signal ? anySignal(options.signal, timeout) : timeout,
    });
    text = await response.text();
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    const slow = timeout.aborted;
    throw new ApiError(
      slow ? "The server took too long to answer." : "The server cannot be reached.",
      slow ? "timeout" : "unreachable", 0);
  }
  let parsed: unknown = null;
  if (text) {
    try {
      parsed = JSON.parse(text);
    } catch {
      if (response.ok) throw new ApiError("The server's answer is not JSON.", "bad_answer", response.status);
    }
  }
  if (!response.ok) throw errorFrom(response.status, parsed);
  return parsed as T;
}

function anySignal(...signals: AbortSignal[]): AbortSignal {
  const controller = new AbortController();
  for (const signal of signals) {
    if (signal.aborted) controller.abort(signal.reason);
    signal.addEventListener("abort", () => controller.abort(signal.reason), { once: true });
  }
  return controller.signal;
}

function errorFrom(status: number, parsed: unknown): ApiError {
  const body = (parsed ?? {}) as { error?: unknown; code?: unknown; details?: Json };
  const fallback = status === 404 ? "There is nothing at this address." : `The server answered ${status}.`;
  return new ApiError(
    typeof body.error === "string" ? body.error : fallback,
    typeof body.code === "string" ? body.code : `http_${status}`,
    status,
    body.details ?? null);
}

const enc = encodeURIComponent;

function query(params: Record<string, string | number | undefined | null>): string {
  const used = Object.entries(params).filter(([, v]) => v !== undefined && v !== null && v !== "");
  return used.length ? `?${used.map(([k, v]) => `${k}=${enc(String(v))}`).join("&")}` : "";
}

/** Follows next_cursor to the end, or to `max` items: a page cannot show more. */
async function all<T>(path: string, params: Record<string, string | number | undefined>, max: number): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<T> = await call("GET", path + query({ ...params, limit: 500, cursor }));
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < max);
  return items;
}

// A server may wrap the graph; the page wants it flat.
function flatWorkflow(w: Workflow & { graph?: Workflow; definition?: Workflow }): Workflow {
  if (w.nodes) return w;
  const inner = w.graph ?? w.definition;
  return inner ? { ...inner, ...w, nodes: inner.nodes, input_schema: w.input_schema ?? inner.input_schema } : w;
}

export const api = {
  workflows: () => all<Workflow>("/workflows", {}, 500),

  workflow: async (id: string, version?: number | null, signal?: AbortSignal): Promise<Workflow> =>
    flatWorkflow(await call<Workflow>("GET", `/workflows/${enc(id)}${query({ version })}`, { signal })),

  createWorkflow: (text: string, type: "application/json" | "application/yaml") =>
    call<Workflow>("POST", "/workflows", { raw: { body: text, type } }),

  execute: (workflowId: string, input: Json, idempotencyKey: string, name?: string) =>
    call<{ session_id: string; status: string }>("POST", "/workflows/execute", {
      body: { workflow_id: workflowId, input, ...(name ? { name } : {}) },
      idempotencyKey,
    }),

  sessions: (params: { status?: string; q?: string; cursor?: string | null; limit?: number }, signal?: AbortSignal) =>
    call<Page<Session>>("GET", `/sessions${query({ limit: 30, ...params })}`, { signal }),

  session: (id: string, signal?: AbortSignal) => call<Session>("GET", `/sessions/${enc(id)}`, { signal }),

  messages: (id: string) => all<Message>(`/sessions/${enc(id)}/messages`, {}, 10_000),

  nodeRuns: (id: string) => all<NodeRun>(`/sessions/${enc(id)}/nodes`, {}, 10_000),

  pause: (id: string) => call<{ status: string; seq: number }>("POST", `/sessions/${enc(id)}/pause`, { body: {} }),

  resume: (id: string) => call<{ status: string; seq: number }>("POST", `/sessions/${enc(id)}/resume`, { body: {} }),

  cancel: (id: string, reason?: string) =>
    call<JsonObject>("POST", `/sessions/${enc(id)}/cancel`, { body: reason ? { reason } : {} }),

  resumeNode: (id: string, nodeId: string, answer: { action: string; data?: Json; interrupt_id?: string }) =>
    call<{ status: string }>("POST", `/sessions/${enc(id)}/nodes/${enc(nodeId)}/resume`, { body: answer as JsonObject }),

  say: (id: string, content: string) => call<JsonObject>("POST", `/sessions/${enc(id)}/input`, { body: { content } }),

  remove: (id: string) => call<null>("DELETE", `/sessions/${enc(id)}`),
};

export type Api = typeof api;
