import type { OperationName, Operations } from "./operations";
import type { Json, JsonObject, Session, SessionEvent } from "./types";

export type * from "./types";
export type * from "./operations";

export interface CallOptions {
  query?: Record<string, string | number | boolean | null | undefined>;
  headers?: Record<string, string>;
  /** Of a POST: the same key with the same body gets the first answer again. One is made where none is given. */
  idempotencyKey?: string;
  /** Of PUT, PATCH, DELETE: 412 (code "stale") unless the object is at this version. */
  ifMatch?: number;
  /** Content-Type of a body that is text. */
  type?: string;
  signal?: AbortSignal;
  timeoutMs?: number;
  /** How often it is tried again; calls that may be repeated only. */
  retries?: number;
}

export interface SocketLike {
  readyState: number;
  onopen: ((ev: never) => void) | null;
  onmessage: ((ev: { data: unknown }) => void) | null;
  onclose: ((ev: { code: number; reason: string }) => void) | null;
  onerror: ((ev: never) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

export interface SluiceOptions {
  /** "http://127.0.0.1:8080"; in a browser, where the page came from. */
  url?: string | URL;
  /** An API key or a token; asked for at each call when it is a function. */
  key?: string | (() => string | null | undefined);
  fetch?: typeof fetch;
  /** Where there is no global one (Node before 22): that of npm's `ws`. */
  WebSocket?: new (url: string, protocols: string[]) => unknown;
  /** 20,000 */
  timeoutMs?: number;
  /** 2 */
  retries?: number;
}

export class SluiceError extends Error {
  constructor(message: string, code: string, status: number, details?: Json);
  /** A word for programs: "not_found", "conflict", …; "unreachable", "timeout", "bad_answer" without an answer. */
  readonly code: string;
  /** Of HTTP; 0: there was no answer. */
  readonly status: number;
  readonly details: Json;
  /** What the server asked for with 429 or 503. */
  retryAfterMs?: number;
}

export type Link =
  | { state: "connecting"; attempt: number; since?: number; leaving?: boolean }
  | { state: "live" }
  /** since: when something was last heard. leaving: the server said that it goes. */
  | { state: "waiting"; attempt: number; retryAt: number; why: string; since?: number; leaving?: boolean }
  | { state: "refused"; code: string; why: string }
  | { state: "closed" };

export interface StreamCallbacks {
  after?: number;
  onEvents: (events: SessionEvent[]) => void;
  /** The log no longer holds what was asked for: start over from this object, at this number. */
  onSnapshot?: (session: Session | undefined, lastSeq: number) => void;
  onSubscribed?: (lastSeq: number, verdict?: "recovered" | "snapshot") => void;
  onLink?: (link: Link) => void;
  /** Of a session: who reads it, told after each change. names: of keys and tokens, up to 10. */
  onWatching?: (watching: Watching) => void;
}

export interface Watching { count: number; names: string[] }

export interface StreamOptions extends StreamCallbacks {
  /** What to send when the connection opens; `after` is the last delivered sequence number. */
  subscribe: (after: number) => object;
  /** true: events carry a gapless sequence and are checked. false: the list channel, many sessions. */
  sequenced: boolean;
  open: () => SocketLike;
  // For tests.
  now?: () => number;
  random?: () => number;
}

export class EventStream {
  constructor(options: StreamOptions);
  readonly lastSeq: number;
  start(): void;
  close(): void;
  /** Try at once instead of at the end of the back-off; one that is live makes sure of it. */
  retryNow(): void;
  /** Ends a back-off. */
  wake(): void;
  rewindTo(seq: number): void;
  /** Takes nothing more until release(): the log keeps what comes. */
  hold(): void;
  release(): void;
}

/** In place of events that the log no longer has. */
export interface Snapshot {
  type: "snapshot";
  session_id: string;
  last_seq: number;
  session?: Session;
}

export interface FollowOptions {
  after?: number;
  signal?: AbortSignal;
  onLink?: (link: Link) => void;
  onSubscribed?: (told: { last_seq: number; verdict?: "recovered" | "snapshot" }) => void;
}

export interface Sluice extends Operations {}
export class Sluice {
  constructor(options?: SluiceOptions);
  readonly url: string;
  readonly key: string;
  call<T = Json>(method: string, path: string, options?: CallOptions & { body?: unknown }): Promise<T>;
  each<T = JsonObject>(operation: OperationName, ...args: unknown[]): AsyncGenerator<T, void, void>;
  run(workflowId: string, input?: JsonObject, more?: JsonObject, options?: CallOptions): Promise<string>;
  answer(sessionId: string, nodeId: string, action: string, data?: Json, more?: JsonObject): Promise<{ status: string }>;
  stream(sessionId: string, options: StreamCallbacks): EventStream;
  sessionsStream(options: StreamCallbacks & { filter?: JsonObject }): EventStream;
  follow(sessionId: string, options?: FollowOptions): AsyncGenerator<SessionEvent | Snapshot, void, void>;
  ended(sessionId: string, options?: FollowOptions): Promise<Session>;
  /** All streams at once: those that wait try now, those that are live make sure of it. */
  retryNow(): void;
  close(): void;
}
