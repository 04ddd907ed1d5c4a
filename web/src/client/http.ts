// The page's client: one for the whole tab. Every failure is an ApiError whose message is a sentence for a
// person; `code` tells the page what to do about it ("unreachable" when no server answered at all).

import { setBehind } from "@/app/behind";
import { setWatchers } from "@/app/watchers";
import { Sluice, SluiceError, type EventStream, type StreamCallbacks, type Json, type JsonObject, type Message, type NodeRun, type Page, type Session, type Workflow } from "@sluice/client";
import { timedFetch } from "./server-time";

const KEY_NAME = "sluice.key";

export { SluiceError as ApiError };

/** The API key of this tab. It goes with the tab and is never written to disk by the page. */
export const apiKey = {
  get: () => sessionStorage.getItem(KEY_NAME) ?? "",
  set: (key: string) => (key ? sessionStorage.setItem(KEY_NAME, key) : sessionStorage.removeItem(KEY_NAME)),
};

const locks = new Set<(err: SluiceError) => void>();
/** Calls back when the server wants a key, or another one: it was revoked, or has run out. */
export function onLocked(listener: (err: SluiceError) => void): () => void {
  locks.add(listener);
  return () => void locks.delete(listener);
}

class PageClient extends Sluice {
  /** Whoever reads a session here is told who else does, and the page knows whether it has all of it. */
  stream(sessionId: string, options: StreamCallbacks): EventStream {
    let target = 0;
    const check = () => setBehind(sessionId, stream.lastSeq < target);
    const stream = super.stream(sessionId, {
      ...options,
      onWatching: (watching) => setWatchers(sessionId, watching),
      onEvents: (events) => { options.onEvents(events); check(); },
      onSubscribed: (lastSeq, verdict) => { target = lastSeq; options.onSubscribed?.(lastSeq, verdict); check(); },
      onLink: (link) => {
        if (link.state !== "live") {
          target = 0;
          setBehind(sessionId, false);
          setWatchers(sessionId, undefined);
        }
        options.onLink?.(link);
      },
    });
    return stream;
  }

  async call<T = Json>(...args: Parameters<Sluice["call"]>): Promise<T> {
    const key = apiKey.get();
    try {
      return await super.call<T>(...args);
    } catch (err) {
      // A call that was made with the key before this one says nothing about this one.
      if (err instanceof SluiceError && err.status === 401 && apiKey.get() === key) for (const listener of locks) listener(err);
      throw err;
    }
  }
}

// A person looks on and asks again; nothing is tried again behind their back.
export const client = new PageClient({ key: apiKey.get, retries: 0, fetch: timedFetch });

/** Follows next_cursor to the end, or to `max` items: a page cannot show more. */
async function all<T>(list: AsyncIterable<T>, max: number): Promise<T[]> {
  const items: T[] = [];
  for await (const item of list) {
    items.push(item);
    if (items.length >= max) break;
  }
  return items;
}

// A server may wrap the graph; the page wants it flat.
function flatWorkflow(w: Workflow & { graph?: Workflow; definition?: Workflow }): Workflow {
  if (w.nodes) return w;
  const inner = w.graph ?? w.definition;
  return inner ? { ...inner, ...w, nodes: inner.nodes, input_schema: w.input_schema ?? inner.input_schema } : w;
}

export const api = {
  workflows: () => all(client.each<Workflow>("listWorkflows"), 500),

  workflow: async (id: string, version?: number | null, signal?: AbortSignal): Promise<Workflow> =>
    flatWorkflow(await client.getWorkflow(id, { version }, { signal })),

  createWorkflow: (text: string, type: "application/json" | "application/yaml") =>
    client.createWorkflow(text, { type }) as Promise<Workflow>,

  execute: (workflowId: string, input: Json, idempotencyKey: string, name?: string) =>
    client.execute({ workflow_id: workflowId, input: input as JsonObject, ...(name ? { name } : {}) }, { idempotencyKey }),

  sessions: (params: { status?: string; q?: string; cursor?: string | null; limit?: number }, signal?: AbortSignal) =>
    client.listSessions({ limit: 30, ...params }, { signal }) as Promise<Page<Session>>,

  session: (id: string, signal?: AbortSignal): Promise<Session> => client.getSession(id, { signal }),

  messages: (id: string) => all(client.each<Message>("listMessages", id), 10_000),

  nodeRuns: (id: string) => all(client.each<NodeRun>("listNodeRuns", id), 10_000),

  pause: (id: string, body: { reason?: string } = {}) => client.pauseSession(id, body),

  resume: (id: string, body: { budget?: { tokens?: number; cost_usd?: number }; justification?: string } = {}) => client.resumeSession(id, body),

  cancel: (id: string, body: { reason?: string } = {}) => client.cancelSession(id, body),

  stop: (id: string, body: { reason?: string } = {}) => client.stopSession(id, body),

  resumeNode: (id: string, nodeId: string, answer: { action: string; data?: Json; interrupt_id?: string }) =>
    client.resumeNode(id, nodeId, answer),

  say: (id: string, content: string) => client.sayIntoSession(id, { content }),

  remove: (id: string) => client.deleteSession(id),

  whoami: (signal?: AbortSignal) => client.whoami({ signal }),
};

export type Api = typeof api;
