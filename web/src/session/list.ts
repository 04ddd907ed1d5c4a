// The list of sessions, kept fresh: read over HTTP, then moved along by the `sessions` channel.

import { api, ApiError, client } from "@/client/http";
import type { EventStream, Link, Session, SessionEvent } from "@sluice/client";

export interface ListState {
  items: Session[];
  cursor: string | null;
  loading: boolean;
  filter: { status: string; q: string };
  error?: ApiError;
  link: Link;
  /** Counts what the channel told: whoever shows something that hangs on sessions reads again when it moves. */
  moves: number;
}

const REFETCH_MS = 400;
// Questions that other sessions ask come over no channel; only while something runs is there cause to look.
const POLL_MS = 15_000;
const PAGE = 30;

export class SessionList {
  private state: ListState = {
    items: [], cursor: null, loading: true, filter: { status: "", q: "" }, link: { state: "connecting", attempt: 0 }, moves: 0,
  };
  private listeners = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private poller: ReturnType<typeof setInterval> | undefined;
  private round = 0;
  private stream: EventStream;

  constructor() {
    this.stream = client.sessionsStream({
      onEvents: (events) => this.moved(events),
      onLink: (link) => {
        this.set({ link });
        // What changed while we were away was not told.
        if (link.state === "live") this.told(0);
      },
    });
  }

  start(): void {
    this.stream.start();
    this.poller = setInterval(() => {
      const live = this.state.items.some((s) => s.status === "running");
      if (live && !document.hidden) this.refetchSoon(0);
    }, POLL_MS);
    void this.fetch();
  }

  close(): void {
    this.stream.close();
    clearTimeout(this.timer);
    clearInterval(this.poller);
    this.listeners.clear();
  }

  readonly subscribe = (fn: () => void) => {
    this.listeners.add(fn);
    return () => this.listeners.delete(fn);
  };

  readonly get = () => this.state;

  setFilter(filter: Partial<ListState["filter"]>): void {
    this.set({ filter: { ...this.state.filter, ...filter } });
    this.refetchSoon(filter.q === undefined ? 0 : 250);
  }

  retryNow(): void {
    this.stream.retryNow();
    this.refetchSoon(0);
  }

  /** Something changed that the channel does not tell: a question was asked or answered. */
  touch(): void {
    this.told();
  }

  async more(): Promise<void> {
    if (!this.state.cursor || this.state.loading) return;
    const round = ++this.round;
    this.set({ loading: true });
    try {
      const page = await api.sessions({ ...this.state.filter, cursor: this.state.cursor, limit: PAGE });
      if (round !== this.round) return;
      const known = new Set(this.state.items.map((s) => s.id));
      this.set({ items: [...this.state.items, ...page.items.filter((s) => !known.has(s.id))], cursor: page.next_cursor, loading: false });
    } catch (err) {
      if (round === this.round) this.failed(err);
    }
  }

  private set(change: Partial<ListState>): void {
    this.state = { ...this.state, ...change };
    for (const fn of this.listeners) fn();
  }

  private failed(err: unknown): void {
    this.set({ loading: false, error: err instanceof ApiError ? err : new ApiError(String(err), "internal", 0) });
  }

  private refetchSoon(ms = REFETCH_MS): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.fetch(), ms);
  }

  private async fetch(): Promise<void> {
    const round = ++this.round;
    this.set({ loading: true });
    try {
      // As many as are on the screen: a refresh must not fold up what was unfolded.
      const limit = Math.min(500, Math.max(PAGE, this.state.items.length));
      const page = await api.sessions({ ...this.state.filter, limit });
      if (round === this.round) this.set({ items: page.items, cursor: page.next_cursor, loading: false, error: undefined });
    } catch (err) {
      if (round === this.round) this.failed(err);
    }
  }

  private moved(events: SessionEvent[]): void {
    const moves = new Map(events.flatMap((e) => (e.type === "session_state_change" ? [[e.session_id, e] as const] : [])));
    if (moves.size) {
      this.set({
        items: this.state.items.map((s) => {
          const move = moves.get(s.id);
          return move && move.seq > (s.last_seq ?? 0) ? { ...s, status: move.data.to, last_seq: move.seq, updated_at: move.timestamp } : s;
        }),
      });
    }
    // New sessions, titles and waiting questions are in the objects.
    this.told();
  }

  private told(ms?: number): void {
    this.set({ moves: this.state.moves + 1 });
    this.refetchSoon(ms);
  }
}
