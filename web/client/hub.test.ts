// The list channel beside sessions on one connection.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Sluice, type Link, type SessionEvent } from "./index";

class FakeSocket {
  static all: FakeSocket[] = [];
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((ev: { data: string }) => void) | null = null;
  onclose: ((ev: { code: number; reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  sent: { type: string; session_id?: string; channel?: string; request_id?: string; after?: number; watching?: boolean }[] = [];
  constructor() { FakeSocket.all.push(this); }
  send(text: string) { this.sent.push(JSON.parse(text)); }
  close() { this.readyState = 3; }
  opened() { this.readyState = 1; this.onopen?.(); }
  says(...frames: object[]) { for (const f of frames) this.onmessage?.({ data: JSON.stringify(f) }); }
  dies() { this.readyState = 3; this.onclose?.({ code: 1006, reason: "" }); }
}

const fetch = (async () => new Response("{}", { status: 200, headers: { "content-type": "application/json" } })) as unknown as typeof globalThis.fetch;
const socket = () => FakeSocket.all.at(-1) as FakeSocket;
const log = (seq: number, session_id = "a") => ({ seq, session_id, type: "log", timestamp: "", data: { text: "" } });
const move = (seq: number, session_id = "a") => ({ seq, session_id, type: "session_state_change", timestamp: "", data: { from: "running", to: "paused" } });
const told = (seq: number, session_id = "a") => ({ channel: "sessions", ...move(seq, session_id) });
const begun = (last_seq: number) => ({ type: "subscribed", request_id: "a", session_id: "a", verdict: "recovered", last_seq });
const listAck = { type: "ack", request_id: "sessions" };

beforeEach(() => { FakeSocket.all = []; vi.useFakeTimers(); });
afterEach(() => void vi.useRealTimers());
const settled = () => vi.advanceTimersByTimeAsync(0);

function open() {
  const client = new Sluice({ url: "http://s/", fetch, WebSocket: FakeSocket as never });
  const seen: number[] = [];
  const moves: string[] = [];
  const links: { list: Link[]; session: Link[] } = { list: [], session: [] };
  const list = client.sessionsStream({
    onEvents: (events: SessionEvent[]) => moves.push(...events.map((e) => `${e.session_id}${e.seq}`)), onLink: (l) => links.list.push(l),
  });
  const session = client.stream("a", {
    onEvents: (events) => seen.push(...events.map((e) => e.seq)), onLink: (l) => links.session.push(l), onWatching: () => {},
  });
  return { client, list, session, seen, moves, links };
}

async function connected() {
  const t = open();
  t.list.start();
  t.session.start();
  await settled();
  socket().opened();
  return t;
}

/** Every way to merge two sequences. */
function* merges<T>(a: T[], b: T[]): Generator<T[]> {
  if (!a.length || !b.length) { yield [...a, ...b]; return; }
  for (const rest of merges(a.slice(1), b)) yield [a[0] as T, ...rest];
  for (const rest of merges(a, b.slice(1))) yield [b[0] as T, ...rest];
}

describe("one connection", () => {
  it("carries the channel and the sessions", async () => {
    await connected();
    expect(FakeSocket.all).toHaveLength(1);
    expect(socket().sent).toEqual([
      { type: "subscribe", request_id: "sessions", channel: "sessions" },
      { type: "subscribe", request_id: "a", session_id: "a", after: 0, watching: true },
    ]);
  });

  it("keeps the two copies of a state change apart, however they come", async () => {
    const ofSession = [begun(2), { type: "batch", events: [log(1), move(2)] }, log(3), move(4), log(5), move(6)];
    const ofChannel = [listAck, told(2), told(4), told(6), told(1, "b")];
    let ways = 0;
    for (const frames of merges<object>(ofSession, ofChannel)) {
      ways++;
      const t = await connected();
      socket().says(...frames);
      expect(t.seen).toEqual([1, 2, 3, 4, 5, 6]);
      expect(t.moves).toEqual(["a2", "a4", "a6", "b1"]);
      expect([t.links.list.at(-1), t.links.session.at(-1)]).toEqual([{ state: "live" }, { state: "live" }]);
      expect(FakeSocket.all).toHaveLength(1);
      t.client.close();
      t.list.close();
      t.session.close();
      FakeSocket.all = [];
    }
    expect(ways).toBe(462);
  });

  it("lets a session go and come back, while frames of before are still under way", async () => {
    const t = await connected();
    socket().says(listAck, begun(0), log(1));
    t.session.close();
    expect(socket().sent.at(-1)).toEqual({ type: "unsubscribe", request_id: "left", session_id: "a" });
    t.session.start();
    await settled();
    expect(socket().sent.at(-1)).toMatchObject({ type: "subscribe", session_id: "a", after: 1 });
    socket().says(log(2), log(3), { type: "ack", request_id: "left" }, { type: "ack", request_id: "a", session_id: "a" }, begun(3), log(2), log(3), log(4));
    expect(t.seen).toEqual([1, 2, 3, 4]);
    expect(FakeSocket.all).toHaveLength(1);
  });

  it("takes nobody's ack for the channel's", async () => {
    const t = await connected();
    t.session.close();
    socket().says({ type: "ack", request_id: "left" });
    expect(t.links.list.at(-1)).toMatchObject({ state: "connecting" });
    socket().says(listAck);
    expect(t.links.list.at(-1)).toEqual({ state: "live" });
  });

  it("comes back for all as soon as one has found the server", async () => {
    const t = await connected();
    socket().says(listAck, begun(1), log(1));
    const first = socket();
    first.dies();
    t.list.retryNow();
    await settled();
    expect(FakeSocket.all).toHaveLength(2);
    socket().opened();
    await settled();
    expect(socket().sent.map((m) => m.request_id)).toEqual(["sessions", "a"]);
    expect(FakeSocket.all).toHaveLength(2);
  });

  it("is pinged once for all, and all hear the answer", async () => {
    const t = await connected();
    socket().says(listAck, begun(0));
    await vi.advanceTimersByTimeAsync(15_000);
    expect(socket().sent.filter((m) => m.type === "ping")).toHaveLength(1);
    socket().says({ type: "pong" });
    t.client.retryNow(); // answered already
    await vi.advanceTimersByTimeAsync(5_000);
    expect([t.links.list.at(-1), t.links.session.at(-1)]).toEqual([{ state: "live" }, { state: "live" }]);
    await vi.advanceTimersByTimeAsync(30_000); // and now nobody answers
    expect(t.links.list.filter((l) => l.state === "waiting")).not.toHaveLength(0);
  });
});
