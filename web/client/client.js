// Calls, as methods by the names of docs/api/openapi.yaml, and event streams.

import { SluiceError, errorFrom } from "./errors.js";
import { Hub } from "./hub.js";
import { operations } from "./operations.js";
import { EventStream } from "./stream.js";

const BASE = "/api/v1";
const TIMEOUT_MS = 20_000;
const RETRIES = 2;
const RETRY_FIRST_MS = 200;
const RETRY_MAX_MS = 10_000;
const PASSING = new Set([429, 502, 503, 504]);
const QUEUE_MAX = 5_000; // events that nobody took; then the log keeps them
const TERMINAL = new Set(["completed", "failed", "cancelled"]);

const sleep = (ms, signal) => new Promise((done, fail) => {
  const timer = setTimeout(done, ms);
  signal?.addEventListener("abort", () => { clearTimeout(timer); fail(signal.reason); }, { once: true });
});

function newKey() {
  if (globalThis.crypto?.randomUUID) return crypto.randomUUID();
  return Array.from({ length: 4 }, () => Math.random().toString(36).slice(2, 10)).join("-");
}

function anySignal(...signals) {
  const controller = new AbortController();
  for (const signal of signals) {
    if (signal.aborted) controller.abort(signal.reason);
    signal.addEventListener("abort", () => controller.abort(signal.reason), { once: true });
  }
  return controller.signal;
}

function queryOf(params) {
  const used = Object.entries(params ?? {}).filter(([, v]) => v !== undefined && v !== null && v !== "");
  return used.length ? `?${used.map(([k, v]) => `${encodeURIComponent(k)}=${encodeURIComponent(String(v))}`).join("&")}` : "";
}

export class Sluice {
  #key;
  #fetch;
  #WebSocket;
  #hub;
  #streams = new Set(); // that go on
  #timeoutMs;
  #retries;

  constructor(options = {}) {
    const given = options.url ?? globalThis.location?.origin;
    if (!given) throw new TypeError("new Sluice({ url }): which server?");
    this.url = String(given).replace(/\/+$/, "");
    this.#key = options.key;
    this.#fetch = options.fetch ?? ((...args) => globalThis.fetch(...args));
    this.#WebSocket = options.WebSocket;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#retries = options.retries ?? RETRIES;
    this.#hub = new Hub(
      () => this.#openSocket(),
      () => this.whoami({ retries: 0 }).then(() => null, (err) => err),
      () => { for (const s of [...this.#streams]) s.wake(); },
    );
  }

  /** The key that calls go with; "" for none. */
  get key() {
    return (typeof this.#key === "function" ? this.#key() : this.#key) ?? "";
  }

  // ---- calls ----

  /** Any route. What is idempotent - reads, and posts with an Idempotency-Key - is tried again when nobody answers or
   *  the server says that it cannot just now. */
  async call(method, path, options = {}) {
    const safe = method === "GET" || method === "HEAD" || Boolean(options.idempotencyKey);
    for (let tried = 0; ; tried++) {
      try {
        return await this.#once(method, path, options);
      } catch (err) {
        const passing = err instanceof SluiceError && (err.status === 0 || PASSING.has(err.status));
        if (!safe || !passing || tried >= (options.retries ?? this.#retries) || options.signal?.aborted) throw err;
        const wait = err.retryAfterMs ?? RETRY_FIRST_MS * 2 ** tried * (0.75 + Math.random() * 0.5);
        await sleep(Math.min(wait, RETRY_MAX_MS), options.signal);
      }
    }
  }

  #request(method, options) {
    const headers = { Accept: "application/json, */*;q=0.5", ...options.headers };
    const key = this.key;
    if (key) headers.Authorization = `Bearer ${key}`;
    if (options.idempotencyKey) headers["Idempotency-Key"] = options.idempotencyKey;
    if (options.ifMatch !== undefined) headers["If-Match"] = String(options.ifMatch);
    let body;
    if (options.body !== undefined) {
      const isText = typeof options.body === "string" && options.type;
      headers["Content-Type"] = options.type ?? "application/json";
      body = isText ? options.body : JSON.stringify(options.body);
    }
    const timeout = AbortSignal.timeout(options.timeoutMs ?? this.#timeoutMs);
    const signal = options.signal ? anySignal(options.signal, timeout) : timeout;
    return { timeout, init: { method, headers, body, cache: "no-store", signal } };
  }

  async #once(method, path, options) {
    const { timeout, init } = this.#request(method, options);
    let response;
    let text;
    try {
      response = await this.#fetch(this.url + BASE + path + queryOf(options.query), init);
      text = await response.text();
    } catch (cause) {
      if (options.signal?.aborted) throw cause;
      const slow = timeout.aborted;
      throw new SluiceError(
        slow ? "The server took too long to answer." : "The server cannot be reached.",
        slow ? "timeout" : "unreachable", 0);
    }
    const isJson = /json\b(?!-)/.test((response.headers.get("content-type") ?? "").replace("x-ndjson", ""));
    let parsed = null;
    if (text && (isJson || !response.ok)) {
      try {
        parsed = JSON.parse(text);
      } catch {
        if (response.ok) throw new SluiceError("The server's answer is not JSON.", "bad_answer", response.status);
      }
    }
    if (response.ok) return text && !isJson ? text : parsed;
    const err = errorFrom(response.status, parsed);
    const after = Number(response.headers.get("retry-after"));
    if (after > 0) err.retryAfterMs = after * 1000;
    throw err;
  }

  /** Whether a session is there. */
  async sessionExists(id, options = {}) {
    try {
      await this.call("HEAD", `/sessions/${encodeURIComponent(id)}`, options);
      return true;
    } catch (err) {
      if (err instanceof SluiceError && err.status === 404) return false;
      throw err;
    }
  }

  /** Every element of a list, page by page: each("listSessions", { status: "running" }). */
  async *each(operation, ...args) {
    const [, path] = operations[operation];
    const ids = args.slice(0, path.split("{").length - 1);
    const [query, options] = args.slice(ids.length);
    for (let cursor; ;) {
      const page = await this[operation](...ids, { limit: 500, ...query, cursor }, options);
      yield* page.items;
      cursor = page.next_cursor;
      if (!cursor) return;
    }
  }

  /** Starts a stored workflow, and gives the session's id. */
  async run(workflowId, input = {}, more = {}, options = {}) {
    return (await this.execute({ workflow_id: workflowId, input, ...more }, options)).session_id;
  }

  /** Answers a node that waits. */
  answer(sessionId, nodeId, action, data, more = {}) {
    return this.resumeNode(sessionId, nodeId, { action, ...(data === undefined ? {} : { data }), ...more });
  }

  // ---- events ----

  async #openSocket() {
    const Socket = this.#WebSocket ?? globalThis.WebSocket;
    if (!Socket) throw new TypeError("there is no WebSocket here: give one to new Sluice({ WebSocket })");
    const url = new URL(`${this.url}/ws`);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("batch", "1");
    // A key in a URL would be seen by who keeps logs; a ticket is good once.
    if (this.key) url.searchParams.set("ticket", (await this.createTicket({}, { retries: 0 })).ticket);
    return new Socket(url.href, ["sluice.v1"]);
  }

  #newStream(options) {
    const stream = new EventStream({
      ...options,
      onLink: (link) => {
        if (link.state === "closed" || link.state === "refused") this.#streams.delete(stream);
        else this.#streams.add(stream);
        options.onLink?.(link);
      },
    });
    return stream;
  }

  /** The events of one session, by callbacks; start() it. All streams share one connection. */
  stream(sessionId, options) {
    const watching = options.onWatching ? { watching: true } : {};
    return this.#newStream({
      ...options,
      sequenced: true,
      open: () => this.#hub.socket(sessionId),
      subscribe: (after) => ({ type: "subscribe", request_id: sessionId, session_id: sessionId, after, ...watching }),
    });
  }

  /** State changes of all sessions that the key may see; they come in no sequence. */
  sessionsStream(options) {
    return this.#newStream({
      ...options,
      sequenced: false,
      open: () => this.#hub.socket(""),
      subscribe: () => ({ type: "subscribe", request_id: "sessions", channel: "sessions", ...(options.filter ? { filter: options.filter } : {}) }),
    });
  }

  /** The events of one session with seq > after, in order, each once, until the session ends - over lost connections and
   *  restarts of the server. Where the log no longer has what was asked for, one {type: "snapshot", last_seq, session}
   *  comes in its place. */
  async *follow(sessionId, { after = 0, signal, onLink, onSubscribed } = {}) {
    const queue = [];
    let wake = () => {};
    let refused;
    const push = (items) => {
      queue.push(...items);
      if (queue.length > QUEUE_MAX) stream.hold();
      wake();
    };
    const stream = this.stream(sessionId, {
      after,
      onEvents: push,
      onSnapshot: (session, last_seq) => push([{ type: "snapshot", session_id: sessionId, last_seq, session }]),
      onSubscribed: (last_seq, verdict) => onSubscribed?.({ last_seq, verdict }),
      onLink: (link) => {
        if (link.state === "refused") {
          const status = link.code.includes("not_found") ? 404 : link.code === "unauthorized" ? 401 : 403;
          refused = new SluiceError(link.why, link.code, status);
          wake();
        }
        onLink?.(link);
      },
    });
    const abort = () => wake();
    signal?.addEventListener("abort", abort, { once: true });
    stream.start();
    try {
      for (;;) {
        while (queue.length) {
          const event = queue.shift();
          if (queue.length === 0) stream.release();
          yield event;
          const over = event.type === "session_state_change" ? event.data.to : event.type === "snapshot" && event.session?.status;
          if (TERMINAL.has(over)) return;
        }
        if (refused) throw refused;
        if (signal?.aborted) throw signal.reason;
        await new Promise((done) => { wake = done; });
      }
    } finally {
      signal?.removeEventListener("abort", abort);
      stream.close();
    }
  }

  /** Waits for the end of a session and gives it. */
  async ended(sessionId, options = {}) {
    for await (const event of this.follow(sessionId, options)) void event;
    return this.getSession(sessionId, { signal: options.signal });
  }

  /** Streams that wait try at once; those that are live make sure of it. */
  retryNow() {
    for (const s of [...this.#streams]) s.retryNow();
  }

  /** Closes the connections; streams that go on open new ones. */
  close() {
    this.#hub.close();
  }
}

// name: [method, path, what comes after the ids ("query", "body", "none"), Idempotency-Key?, Content-Type?]
for (const [name, [method, path, takes, keyed, type]] of Object.entries(operations)) {
  if (name in Sluice.prototype) continue;
  const parts = path.split(/\{[^}]*\}/);
  Sluice.prototype[name] = async function operation(...args) {
    const ids = args.slice(0, parts.length - 1);
    const [given, options = {}] = takes === "none" ? [undefined, args[ids.length]] : args.slice(ids.length);
    if (ids.length < parts.length - 1 || ids.some((id) => id === undefined || id === null || id === "")) {
      throw new TypeError(`${name}: ${path} has ${parts.length - 1} parameters`);
    }
    const full = parts.map((p, i) => p + (i < ids.length ? encodeURIComponent(String(ids[i])) : "")).join("");
    const more = {};
    if (takes === "query") more.query = { ...given, ...options.query };
    if (takes === "body") more.body = given ?? {};
    if (takes === "body" && typeof given === "string" && type) more.type = options.type ?? type;
    if (keyed) more.idempotencyKey = options.idempotencyKey ?? newKey();
    if (given?.wait_ms) more.timeoutMs = options.timeoutMs ?? TIMEOUT_MS + given.wait_ms;
    return this.call(method, full, { ...options, ...more });
  };
}
