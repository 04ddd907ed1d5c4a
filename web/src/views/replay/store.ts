// A session as it was: a store of the same shape as the live one, whose view is that of an earlier moment.
// The whole log is read first; a session that still runs goes on being recorded while it is looked at.

import type { EventStream, Session, SessionEvent, Workflow } from "@sluice/client";
import { api, ApiError, client } from "@/client/http";
import { TERMINAL } from "@/session/model";
import type { SessionSource, SessionState } from "@/session/store";
import { Pace } from "./pace";
import { Recording, type MarkKind } from "./recording";

const PAGE = 500;
// A frame that came late (the tab was hidden) is no reason to jump.
const FRAME_MAX_MS = 250;

export interface ReplayState {
  /** Events read so far, and how many there are to read. */
  loaded: number;
  total: number;
  ready: boolean;
  /** How much of the log is applied: see Recording. */
  position: number;
  length: number;
  playing: boolean;
  speed: number;
  skipIdle: boolean;
  /** The session goes on: its log grows. */
  growing: boolean;
  /** Numbers that the log no longer has. */
  gaps: number;
}

const problemOf = (err: unknown): ApiError =>
  err instanceof ApiError ? err : new ApiError(err instanceof Error ? err.message : String(err), "internal", 0);

export class ReplayStore implements SessionSource {
  readonly recording: Recording;
  readonly pace = new Pace();
  private state: SessionState;
  private replay: ReplayState = {
    loaded: 0, total: 0, ready: false, position: 0, length: 0, playing: false, speed: 1, skipIdle: true, growing: false, gaps: 0,
  };
  private listeners = new Set<() => void>();
  private aborter = new AbortController();
  private stream?: EventStream;
  private frame = 0;
  /** Where playing stands, on the axis that it goes by; between two events, too. */
  private clockMs = 0;
  private lastFrame = 0;

  constructor(readonly sessionId: string, private wanted?: number) {
    this.recording = new Recording(sessionId);
    this.state = { mode: "replay", view: this.recording.at(0), link: { state: "live" }, target: 0 };
  }

  start(): void {
    void this.load();
  }

  close(): void {
    this.aborter.abort();
    this.stream?.close();
    cancelAnimationFrame(this.frame);
    this.listeners.clear();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly get = (): SessionState => this.state;
  readonly getReplay = (): ReplayState => this.replay;

  // What is over cannot be commanded. The components offer none of this in a replay.
  retryNow(): void { this.stream?.retryNow(); }
  dismissProblem(): void { this.set({ problem: undefined }); }
  async command(): Promise<void> {}
  async answer(): Promise<void> {}
  async say(): Promise<void> {}

  seek(position: number): void {
    const to = Math.max(0, Math.min(Math.round(position), this.recording.length));
    this.clockMs = this.axis()[to] ?? 0;
    this.show(to);
  }

  /** The event nearest to a moment of the axis, so that both ends can be reached. */
  seekTime(ms: number): void {
    const axis = this.axis();
    const before = Pace.positionAt(axis, ms);
    const next = axis[before + 1];
    this.seek(next !== undefined && next - ms < ms - axis[before]! ? Pace.positionAt(axis, next) : before);
  }

  seekSeq(seq: number): void {
    if (!this.replay.ready) this.wanted = seq;
    else this.seek(this.recording.positionOf(seq));
  }

  step(by: number): void {
    this.pause();
    this.seek(this.replay.position + by);
  }

  toMark(direction: 1 | -1, kinds?: ReadonlySet<MarkKind>): void {
    const mark = this.recording.markFrom(this.replay.position, direction, kinds);
    if (!mark && kinds) return;
    this.pause();
    this.seek(mark?.index ?? (direction > 0 ? this.recording.length : 0));
  }

  play(): void {
    if (this.replay.playing || !this.replay.ready) return;
    if (this.replay.position >= this.recording.length) this.seek(0);
    this.clockMs = this.axis()[this.replay.position] ?? 0;
    this.lastFrame = 0;
    this.setReplay({ playing: true });
    this.frame = requestAnimationFrame((now) => this.tick(now));
  }

  pause(): void {
    if (!this.replay.playing) return;
    cancelAnimationFrame(this.frame);
    this.setReplay({ playing: false });
  }

  setSpeed(speed: number): void {
    this.setReplay({ speed });
  }

  setSkipIdle(skipIdle: boolean): void {
    this.setReplay({ skipIdle });
    this.clockMs = this.axis()[this.replay.position] ?? 0;
  }

  /** The time axis that is played by. */
  axis(): readonly number[] {
    return this.replay.skipIdle ? this.pace.short : this.pace.real;
  }

  private tick(now: number): void {
    const passed = this.lastFrame ? Math.min(now - this.lastFrame, FRAME_MAX_MS) : 0;
    this.lastFrame = now;
    this.clockMs += passed * this.replay.speed;
    const axis = this.axis();
    const to = Pace.positionAt(axis, this.clockMs);
    if (to > this.replay.position) this.show(to);
    if (to >= this.recording.length) this.setReplay({ playing: false });
    else this.frame = requestAnimationFrame((next) => this.tick(next));
  }

  private show(position: number): void {
    const view = this.recording.at(position);
    if (position === this.replay.position && view === this.state.view) return;
    this.replay = { ...this.replay, position };
    this.set({ view, target: view.lastSeq });
  }

  private set(change: Partial<SessionState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }

  private setReplay(change: Partial<ReplayState>): void {
    this.replay = { ...this.replay, ...change };
    for (const listener of this.listeners) listener();
  }

  private take(events: readonly SessionEvent[]): void {
    const before = this.recording.length;
    this.recording.append(events);
    this.pace.append(this.recording.events.slice(before));
    this.setReplay({ loaded: this.recording.length, length: this.recording.length, gaps: this.recording.gaps });
  }

  private async load(): Promise<void> {
    const { signal } = this.aborter;
    try {
      const session = await api.session(this.sessionId, signal);
      this.setReplay({ total: session.last_seq ?? 0 });
      this.set({ session });
      void this.loadWorkflow(session);
      await this.loadLog();
      this.setReplay({ ready: true, total: this.recording.length });
      this.seek(this.wanted === undefined ? 0 : this.recording.positionOf(this.wanted));
      if (!TERMINAL.has(session.status)) this.record();
    } catch (err) {
      if (!signal.aborted) this.set({ fatal: problemOf(err) });
    }
  }

  private async loadLog(): Promise<void> {
    for (let after = 0; ;) {
      const page = await client.listEvents(this.sessionId, { after, limit: PAGE }, { signal: this.aborter.signal });
      this.take(page.items as SessionEvent[]);
      if (!page.next_cursor || !page.items.length) return;
      after = Number(page.next_cursor);
    }
  }

  /** Goes on with what comes now; the position stays where it is. */
  private record(): void {
    this.setReplay({ growing: true });
    this.stream = client.stream(this.sessionId, {
      after: this.recording.events[this.recording.length - 1]?.seq ?? 0,
      onEvents: (events) => {
        this.take(events);
        if (events.some((e) => e.type === "session_state_change" && TERMINAL.has(e.data.to))) this.recorded();
      },
    });
    this.stream.start();
  }

  private recorded(): void {
    this.setReplay({ growing: false });
    this.stream?.close();
    void api.session(this.sessionId, this.aborter.signal).then((session) => this.set({ session }), () => undefined);
  }

  private async loadWorkflow(session: Session & { graph?: Workflow }): Promise<void> {
    if (session.graph?.nodes) return this.set({ workflow: session.graph });
    if (!session.workflow_id) return;
    try {
      this.set({ workflow: await api.workflow(session.workflow_id, session.workflow_version, this.aborter.signal) });
    } catch (err) {
      if (!this.aborter.signal.aborted) this.set({ workflowProblem: problemOf(err).message });
    }
  }
}
