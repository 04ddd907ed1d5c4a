// One open session: its event stream, its view, and the objects read over HTTP, as one external store that
// React components select from. Events gather in a queue and are reduced once per animation frame, so that
// a burst of tokens costs one render.

import { api, ApiError, client } from "@/client/http";
import type { EventStream, Link, Json, Session, SessionEvent, Workflow } from "@sluice/client";
import { emptyView, TERMINAL, type SessionView } from "./model";
import { advance, viewFromSnapshot } from "./reduce";

export type Command = "pause" | "resume" | "cancel" | "stop";

/** What a command may say: of pause, cancel and stop why; of resume what it needs to be let. */
export interface CommandBody {
  reason?: string;
  budget?: { tokens?: number; cost_usd?: number };
  justification?: string;
}


export interface SessionState {
  /** In a replay the view is that of an earlier moment: nothing can be done to it, so nothing is offered. */
  mode: "live" | "replay";
  view: SessionView;
  link: Link;
  /** How far the log reached when we subscribed; until the view is there, it is a replay. */
  target: number;
  session?: Session;
  workflow?: Workflow;
  workflowProblem?: string;
  /** A command that was sent and whose event has not come yet. */
  pending?: Command;
  problem?: { what: Command | "load"; error: ApiError };
  /** The session itself cannot be shown. */
  fatal?: ApiError;
}

const SLOW_FLUSH_MS = 250;

// The status that shows a command has been carried out.
const SETTLES: Record<Command, (status: string) => boolean> = {
  pause: (s) => s !== "running" && s !== "pending",
  resume: (s) => s !== "paused",
  cancel: (s) => TERMINAL.has(s),
  stop: (s) => TERMINAL.has(s),
};

const asApiError = (err: unknown): ApiError =>
  err instanceof ApiError ? err : new ApiError(err instanceof Error ? err.message : String(err), "internal", 0);

/** What components read and command, live or in a replay. */
export type SessionSource = Pick<SessionStore, keyof SessionStore>;

export class SessionStore {
  private state: SessionState;
  private listeners = new Set<() => void>();
  private queue: SessionEvent[] = [];
  private frame = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stream: EventStream;
  private aborter = new AbortController();
  private snapshotUnderWay = false;

  constructor(readonly sessionId: string) {
    this.state = { mode: "live", view: emptyView(sessionId), link: { state: "connecting", attempt: 0 }, target: 0 };
    this.stream = client.stream(sessionId, {
      onEvents: (events) => this.enqueue(events),
      onSnapshot: (session, lastSeq) => void this.takeSnapshot(session, lastSeq),
      onSubscribed: (lastSeq) => this.set({ target: lastSeq }),
      onLink: (link) => this.linkChanged(link),
    });
  }

  start(): void {
    this.stream.start();
    void this.loadSession();
  }

  close(): void {
    this.stream.close();
    this.aborter.abort();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    this.listeners.clear();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly get = (): SessionState => this.state;

  retryNow(): void {
    this.stream.retryNow();
  }

  dismissProblem(): void {
    this.set({ problem: undefined });
  }

  /** Throws what `tell: "throw"` asks for; else a failure becomes the session's `problem`. */
  async command(command: Command, body: CommandBody = {}, tell: "problem" | "throw" = "problem"): Promise<void> {
    if (this.state.pending) return;
    this.set({ pending: command, problem: undefined });
    try {
      await api[command](this.sessionId, body);
      // The event says so, not the answer; but a command on something that has moved on leaves no event.
      if (SETTLES[command](this.state.view.status)) this.set({ pending: undefined });
    } catch (err) {
      this.set({ pending: undefined, ...(tell === "problem" ? { problem: { what: command, error: asApiError(err) } } : {}) });
      if (tell === "throw") throw err;
    }
  }

  /** Answers an interrupt. Throws ApiError; the form shows it. */
  async answer(interruptId: string, action: string, data?: Json): Promise<void> {
    const interrupt = this.state.view.interrupts[interruptId];
    if (!interrupt) return;
    await api.resumeNode(this.sessionId, interrupt.nodeId, {
      action, interrupt_id: interruptId, ...(data === undefined ? {} : { data }),
    });
  }

  async say(content: string): Promise<void> {
    await api.say(this.sessionId, content);
  }

  private set(change: Partial<SessionState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }

  private enqueue(events: SessionEvent[]): void {
    for (const event of events) this.queue.push(event);
    // A hidden tab gets no frames, and a replay should not be drawn step by step: those wait for the timer.
    this.timer ??= setTimeout(() => this.flush(), SLOW_FLUSH_MS);
    if (!this.frame && this.stream.lastSeq >= this.state.target) {
      this.frame = requestAnimationFrame(() => this.flush());
    }
  }

  private flush(): void {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    this.frame = 0;
    this.timer = undefined;
    if (this.snapshotUnderWay) return;
    const events = this.queue;
    this.queue = [];
    const view = advance(this.state.view, events);
    if (view === this.state.view) return;
    const settled = this.state.pending && SETTLES[this.state.pending](view.status);
    // The budget, the name, the end: what the object says beyond the events may be another now.
    const moved = view.status !== this.state.view.status;
    this.set({ view, ...(settled ? { pending: undefined } : {}) });
    if (moved && this.state.session) void this.refreshSession();
  }

  private linkChanged(link: Link): void {
    if (link.state === "refused") {
      const status = link.code.includes("not_found") ? 404 : 403;
      this.set({ link, fatal: new ApiError(link.why, link.code, status) });
      return;
    }
    this.set({ link });
    if (link.state === "live" && !this.state.session && !this.state.fatal) void this.loadSession();
  }

  private async takeSnapshot(given: Session | undefined, lastSeq: number): Promise<void> {
    // What streams in meanwhile waits in the queue; it starts right after lastSeq.
    this.snapshotUnderWay = true;
    this.queue = [];
    try {
      const [session, messages, runs] = await Promise.all([
        given ?? api.session(this.sessionId),
        api.messages(this.sessionId),
        api.nodeRuns(this.sessionId).catch(() => []),
      ]);
      this.set({ view: viewFromSnapshot(session, messages, runs, lastSeq), session });
    } catch (err) {
      this.set({ problem: { what: "load", error: asApiError(err) } });
    } finally {
      this.snapshotUnderWay = false;
      this.flush();
    }
  }

  private async loadSession(): Promise<void> {
    try {
      const session = await api.session(this.sessionId, this.aborter.signal);
      this.set({ session });
      await this.loadWorkflow(session);
    } catch (err) {
      if (this.aborter.signal.aborted) return;
      const error = asApiError(err);
      // Unreachable mends itself: the stream reconnects and asks again.
      if (error.status === 404 || error.status === 401 || error.status === 403) this.set({ fatal: error });
    }
  }

  private async refreshSession(): Promise<void> {
    try {
      this.set({ session: await api.session(this.sessionId, this.aborter.signal) });
    } catch {
      // The view has it all from the events; the object is only for the name and the input.
    }
  }

  private async loadWorkflow(session: Session & { graph?: Workflow; workflow?: Workflow }): Promise<void> {
    const inline = session.graph ?? session.workflow;
    if (inline?.nodes) {
      this.set({ workflow: inline });
      return;
    }
    if (!session.workflow_id) return;
    try {
      const { signal } = this.aborter;
      const workflow = await api.workflow(session.workflow_id, session.workflow_version, signal);
      this.set({ workflow });
    } catch (err) {
      if (!this.aborter.signal.aborted) this.set({ workflowProblem: asApiError(err).message });
    }
  }
}
