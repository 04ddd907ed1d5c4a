import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EventStream, type Link, type SessionEvent, type SocketLike, type Watching } from "./index";

class FakeSocket implements SocketLike {
  readyState = 0;
  onopen: SocketLike["onopen"] = null;
  onmessage: SocketLike["onmessage"] = null;
  onclose: SocketLike["onclose"] = null;
  onerror: SocketLike["onerror"] = null;
  sent: { type: string; after?: number }[] = [];
  send(text: string) { this.sent.push(JSON.parse(text)); }
  close() { this.readyState = 3; }
  opened() { this.readyState = 1; this.onopen?.(undefined as never); }
  says(...frames: object[]) { for (const f of frames) this.onmessage?.({ data: JSON.stringify(f) }); }
  dies(reason = "") { this.readyState = 3; this.onclose?.({ code: 1006, reason }); }
}

const ev = (seq: number) => ({ seq, session_id: "s", type: "log", timestamp: "", data: { text: String(seq) } }) as SessionEvent;
const ok = (last_seq: number) => ({ type: "subscribed", session_id: "s", verdict: "recovered", last_seq });

function setup(after = 0) {
  const sockets: FakeSocket[] = [];
  const watching: Watching[] = [];
  const seen: number[] = [];
  const links: Link[] = [];
  const snapshots: number[] = [];
  const stream = new EventStream({
    sequenced: true, after, random: () => 0.5,
    subscribe: (a) => ({ type: "subscribe", session_id: "s", after: a }),
    onEvents: (events) => seen.push(...events.map((e) => e.seq)),
    onSnapshot: (_, seq) => snapshots.push(seq),
    onLink: (l) => links.push(l),
    onWatching: (w) => watching.push(w),
    open: () => { const s = new FakeSocket(); sockets.push(s); return s; },
  });
  stream.start();
  const socket = () => sockets[sockets.length - 1] as FakeSocket;
  return { stream, sockets, watching, seen, links, snapshots, socket, link: () => links[links.length - 1] };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("EventStream", () => {
  it("subscribes after the last event it delivered, every time", () => {
    const t = setup();
    t.socket().opened();
    t.socket().says(ok(2), ev(1), { type: "batch", events: [ev(2), ev(3)] });
    expect(t.socket().sent).toEqual([{ type: "subscribe", session_id: "s", after: 0 }]);
    expect(t.link()).toEqual({ state: "live" });
    t.socket().dies();
    expect(t.link()).toMatchObject({ state: "waiting", attempt: 1 });
    vi.advanceTimersByTime(300);
    t.socket().opened();
    expect(t.socket().sent[0]?.after).toBe(3);
    t.socket().says(ok(4), ev(4));
    expect(t.seen).toEqual([1, 2, 3, 4]);
  });

  it("drops what it has seen", () => {
    const t = setup();
    t.socket().opened();
    t.socket().says(ok(2), ev(1), ev(2), ev(1), ev(2), ev(3));
    expect(t.seen).toEqual([1, 2, 3]);
  });

  it("never lets a gap through: it asks again from the last good event", () => {
    const t = setup();
    t.socket().opened();
    t.socket().says(ok(2), ev(1), { type: "batch", events: [ev(2), ev(4), ev(5)] });
    expect(t.seen).toEqual([1, 2]);
    vi.advanceTimersByTime(300);
    t.socket().opened();
    expect(t.socket().sent[0]?.after).toBe(2);
    t.socket().says(ok(5), ev(3), ev(4), ev(5));
    expect(t.seen).toEqual([1, 2, 3, 4, 5]);
  });

  it("does not spin on a gap that stays", () => {
    const t = setup();
    for (let ms = 0; ms < 20_000; ms += 50) {
      if (t.socket().readyState === 0) { t.socket().opened(); t.socket().says(ok(9), ev(9)); }
      vi.advanceTimersByTime(50);
    }
    expect(t.sockets.length).toBeLessThan(12);
    expect(t.seen).toEqual([]);
  });

  it("backs off, up to a limit, and starts afresh once it was live", () => {
    const t = setup();
    const delays: number[] = [];
    for (let i = 0; i < 8; i++) {
      t.socket().dies();
      const l = t.link();
      if (l?.state !== "waiting") throw new Error("not waiting");
      delays.push(l.retryAt - Date.now());
      vi.advanceTimersByTime(10_000 - 1);
    }
    expect(delays).toEqual([250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
    t.socket().opened();
    t.socket().says(ok(0));
    t.socket().dies();
    expect(t.link()).toMatchObject({ state: "waiting", attempt: 1 });
  });

  it("retries at once when asked", () => {
    const t = setup();
    t.socket().dies();
    t.stream.retryNow();
    expect(t.sockets).toHaveLength(2);
    vi.advanceTimersByTime(5000);
    expect(t.sockets).toHaveLength(2);
  });

  it("gives up a connection that hangs or goes silent", () => {
    const t = setup();
    vi.advanceTimersByTime(10_001);
    expect(t.link()).toMatchObject({ state: "waiting" });
    vi.advanceTimersByTime(300);
    t.socket().opened();
    t.socket().says(ok(0));
    vi.advanceTimersByTime(60_000);
    expect(t.socket().sent.some((f) => f.type === "ping") || t.sockets.length > 2).toBe(true);
    expect(t.links.filter((l) => l.state === "waiting").length).toBeGreaterThan(1);
  });

  it("takes a snapshot and goes on from its number", () => {
    const t = setup();
    t.socket().opened();
    t.socket().says({ type: "subscribed", verdict: "snapshot", last_seq: 40, session: { id: "s", status: "running" } }, ev(41));
    expect(t.snapshots).toEqual([40]);
    expect(t.seen).toEqual([41]);
  });

  it("waits as long as a server that is going away asks", () => {
    const t = setup();
    t.socket().opened();
    t.socket().says(ok(0), { type: "going_away", retry_after_ms: 3000 });
    t.socket().dies();
    const l = t.link();
    expect(l?.state === "waiting" && l.retryAt - Date.now()).toBe(3000);
  });

  it("says since when it knows nothing: of the last moment that something was heard", () => {
    const t = setup();
    const began = Date.now();
    expect(t.link()).toMatchObject({ state: "connecting", since: began });
    t.socket().opened();
    t.socket().says(ok(1), ev(1));
    vi.advanceTimersByTime(5_000);
    t.socket().dies();
    expect(t.link()).toMatchObject({ state: "waiting", since: began, leaving: false });
    vi.advanceTimersByTime(300);
    expect(t.link()).toMatchObject({ state: "connecting", since: began });
    t.socket().dies();
    expect(t.link()).toMatchObject({ since: began });
    vi.advanceTimersByTime(600);
    t.socket().opened();
    t.socket().says(ok(1), { type: "going_away", retry_after_ms: 500 });
    const heard = Date.now();
    t.socket().dies();
    expect(t.link()).toMatchObject({ state: "waiting", since: heard, leaving: true });
  });

  it("asks one that is live whether it still is", () => {
    const t = setup();
    t.socket().opened();
    t.socket().says(ok(0));
    t.stream.retryNow();
    expect(t.socket().sent.at(-1)).toEqual({ type: "ping" });
    t.socket().says({ type: "pong" });
    vi.advanceTimersByTime(5_000);
    expect(t.link()).toEqual({ state: "live" });
    t.stream.retryNow();
    vi.advanceTimersByTime(4_000);
    expect(t.link()).toMatchObject({ state: "waiting", why: "the server does not answer" });
  });

  it("is not misled by timers that come late, as in a hidden tab", () => {
    let now = 1_000_000;
    const socket = new FakeSocket();
    const links: Link[] = [];
    const stream = new EventStream({
      sequenced: true, now: () => now, subscribe: () => ({ type: "subscribe" }), onEvents: () => {}, onLink: (l) => links.push(l), open: () => socket,
    });
    stream.start();
    socket.opened();
    socket.says(ok(0));
    for (let i = 0; i < 5; i++) {
      now += 60_000; // the timer wanted to come after 15 s
      vi.advanceTimersByTime(15_000);
      socket.says({ type: "pong" });
    }
    expect(socket.sent.filter((f) => f.type === "ping")).toHaveLength(5);
    expect(links.at(-1)).toEqual({ state: "live" });
    stream.close();
  });

  it("takes nothing before its subscription has begun: it is the rest of another", () => {
    const t = setup(5);
    t.socket().opened();
    t.socket().says(ev(9), { type: "batch", events: [ev(10)] }, ok(7), ev(6), ev(7));
    expect(t.seen).toEqual([6, 7]);
    expect(t.sockets).toHaveLength(1);
  });

  it("tells who watches", () => {
    const t = setup();
    t.socket().opened();
    t.socket().says(ok(0), { type: "watching", session_id: "s", count: 2, names: ["Ada"] });
    expect(t.watching).toEqual([{ count: 2, names: ["Ada"] }]);
  });

  it("stops when the session does not exist, and after close", () => {
    const t = setup();
    t.socket().opened();
    t.socket().says({ type: "error", code: "not_found", error: "no such session" });
    expect(t.link()).toEqual({ state: "refused", code: "not_found", why: "no such session" });
    vi.advanceTimersByTime(60_000);
    expect(t.sockets).toHaveLength(1);

    const u = setup();
    u.stream.close();
    vi.advanceTimersByTime(60_000);
    expect(u.sockets).toHaveLength(1);
  });
});
