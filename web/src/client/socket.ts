// One subscription over WebSocket that survives its connections: it reconnects with back-off, asks for
// exactly the events after the last one it delivered, and delivers each event once, in order.
//
//   idle -> connecting -> live -> waiting -> connecting -> ...        close() ends it from anywhere
//
// A sequence that jumps is a broken promise of the server or of something between; the connection is
// then given up and a new one asks again from the last good event, so that a gap never reaches the view.

import type { ControlFrame, Session, SessionEvent } from "./types";

export type Link =
  | { state: "connecting"; attempt: number }
  | { state: "live" }
  | { state: "waiting"; attempt: number; retryAt: number; why: string }
  | { state: "refused"; code: string; why: string }
  | { state: "closed" };

export interface SocketLike {
  readyState: number;
  onopen: ((ev: never) => void) | null;
  onmessage: ((ev: { data: unknown }) => void) | null;
  onclose: ((ev: { code: number; reason: string }) => void) | null;
  onerror: ((ev: never) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

export interface StreamOptions {
  url: () => string;
  protocols: () => string[];
  /** What to send when the connection opens; `after` is the last delivered sequence number. */
  subscribe: (after: number) => object;
  /** true: events carry a gapless sequence and are checked. false: the list channel, many sessions. */
  sequenced: boolean;
  after?: number;
  onEvents: (events: SessionEvent[]) => void;
  /** The log no longer holds what was asked for: start over from this object, at this number. */
  onSnapshot?: (session: Session | undefined, lastSeq: number) => void;
  onSubscribed?: (lastSeq: number) => void;
  onLink: (link: Link) => void;
  // For tests.
  open?: (url: string, protocols: string[]) => SocketLike;
  now?: () => number;
  random?: () => number;
}

const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 8_000;
const PING_EVERY_MS = 15_000;
const SILENCE_MAX_MS = 35_000;
const CONNECT_MAX_MS = 10_000;
// Errors that trying again cannot mend.
const REFUSALS = new Set(["not_found", "session_not_found", "forbidden", "unauthorized"]);

export class EventStream {
  private socket: SocketLike | null = null;
  private last: number;
  private attempt = 0;
  private gaps = 0;
  private ended = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private pinger: ReturnType<typeof setInterval> | undefined;
  private heardAt = 0;
  private retryHintMs = 0;
  private link: Link = { state: "closed" };

  constructor(private readonly options: StreamOptions) {
    this.last = options.after ?? 0;
  }

  get lastSeq(): number {
    return this.last;
  }

  start(): void {
    this.ended = false;
    this.connect();
  }

  close(): void {
    this.ended = true;
    this.drop();
    clearTimeout(this.timer);
    this.tell({ state: "closed" });
  }

  /** Try at once instead of at the end of the back-off: a person asked, or the network came back. */
  retryNow(): void {
    if (this.ended || this.link.state !== "waiting") return;
    clearTimeout(this.timer);
    this.connect();
  }

  /** After a snapshot was taken: go on from its number. */
  rewindTo(seq: number): void {
    this.last = seq;
  }

  private now(): number {
    return (this.options.now ?? Date.now)();
  }

  private tell(link: Link): void {
    this.link = link;
    this.options.onLink(link);
  }

  private connect(): void {
    this.drop();
    this.tell({ state: "connecting", attempt: this.attempt });
    const open = this.options.open ?? ((url, protocols) => new WebSocket(url, protocols) as unknown as SocketLike);
    let socket: SocketLike;
    try {
      socket = open(this.options.url(), this.options.protocols());
    } catch (err) {
      this.later(err instanceof Error ? err.message : "could not open a connection");
      return;
    }
    this.socket = socket;
    // A handshake that hangs has no event of its own.
    this.timer = setTimeout(() => this.lost(socket, "the server does not answer"), CONNECT_MAX_MS);
    socket.onopen = () => {
      if (this.socket !== socket) return;
      this.heardAt = this.now();
      this.pinger = setInterval(() => this.beat(socket), PING_EVERY_MS);
      socket.send(JSON.stringify(this.options.subscribe(this.last)));
    };
    socket.onmessage = (ev) => {
      if (this.socket === socket) this.receive(socket, ev.data);
    };
    socket.onclose = (ev) => this.lost(socket, ev.reason || "connection lost");
    socket.onerror = () => {};
  }

  private beat(socket: SocketLike): void {
    if (this.now() - this.heardAt > SILENCE_MAX_MS) this.lost(socket, "the server went silent");
    else socket.send('{"type":"ping"}');
  }

  private lost(socket: SocketLike, why: string): void {
    if (this.socket !== socket) return;
    this.drop();
    if (!this.ended) this.later(why);
  }

  private drop(): void {
    clearTimeout(this.timer);
    clearInterval(this.pinger);
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
    if (socket.readyState <= 1) socket.close(1000);
  }

  private later(why: string): void {
    const jitter = 0.75 + (this.options.random ?? Math.random)() * 0.5;
    const backoff = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.attempt) * jitter;
    const delay = Math.round(Math.max(backoff, this.retryHintMs));
    this.retryHintMs = 0;
    this.attempt += 1;
    this.timer = setTimeout(() => this.connect(), delay);
    this.tell({ state: "waiting", attempt: this.attempt, retryAt: this.now() + delay, why });
  }

  private receive(socket: SocketLike, raw: unknown): void {
    this.heardAt = this.now();
    let frame: SessionEvent | ControlFrame;
    try {
      frame = JSON.parse(String(raw)) as SessionEvent | ControlFrame;
    } catch {
      this.lost(socket, "the server sent something that is not JSON");
      return;
    }
    if ("seq" in frame && typeof frame.seq === "number") {
      this.deliver(socket, [frame]);
      return;
    }
    this.control(socket, frame as ControlFrame);
  }

  private control(socket: SocketLike, frame: ControlFrame): void {
    switch (frame.type) {
      case "batch":
        this.deliver(socket, frame.events);
        break;
      case "subscribed":
        this.subscribed(frame);
        break;
      case "going_away":
        this.retryHintMs = Math.min(frame.retry_after_ms ?? 0, BACKOFF_MAX_MS);
        break;
      case "error":
        this.refused(socket, frame.code ?? "error", frame.error ?? "The server refused the subscription.");
        break;
    }
  }

  private subscribed(frame: { verdict?: string; last_seq?: number; session?: Session }): void {
    clearTimeout(this.timer);
    this.attempt = 0;
    if (frame.verdict === "snapshot") {
      this.last = frame.last_seq ?? frame.session?.last_seq ?? 0;
      this.options.onSnapshot?.(frame.session, this.last);
    }
    this.options.onSubscribed?.(frame.last_seq ?? this.last);
    this.tell({ state: "live" });
  }

  private refused(socket: SocketLike, code: string, why: string): void {
    if (this.link.state === "live") return;
    if (!REFUSALS.has(code)) {
      this.lost(socket, why);
      return;
    }
    this.ended = true;
    this.drop();
    this.tell({ state: "refused", code, why });
  }

  private deliver(socket: SocketLike, events: SessionEvent[]): void {
    if (!this.options.sequenced) {
      this.options.onEvents(events);
      return;
    }
    const fresh: SessionEvent[] = [];
    let gap = false;
    for (const event of events) {
      if (event.seq <= this.last) continue;
      if (event.seq !== this.last + 1) {
        gap = true;
        break;
      }
      this.last = event.seq;
      fresh.push(event);
    }
    if (fresh.length) {
      this.gaps = 0;
      this.options.onEvents(fresh);
    }
    if (gap && this.socket === socket) {
      // A gap that stays must not become a busy loop: the back-off grows until an event gets through.
      this.attempt = Math.max(this.attempt, this.gaps++);
      this.lost(socket, "an event is missing; asking for it again");
    }
  }
}

export function socketUrl(): string {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return `${scheme}//${location.host}/ws?batch=1`;
}

export function socketProtocols(key: string): string[] {
  return key ? ["sluice.v1", `bearer.${key}`] : ["sluice.v1"];
}
