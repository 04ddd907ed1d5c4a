import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Sluice, SluiceError, type SessionEvent } from "./index";

interface Asked { url: string; init: RequestInit & { headers: Record<string, string> } }
type Answer = { status?: number; body?: unknown; text?: string; headers?: Record<string, string> } | Error;

function served(...answers: Answer[]) {
  const asked: Asked[] = [];
  const fetch = (async (url: string, init: Asked["init"]) => {
    asked.push({ url, init });
    const a = answers.length > 1 ? answers.shift() as Answer : answers[0] as Answer;
    if (a instanceof Error) throw a;
    const type = a.text === undefined ? "application/json; charset=utf-8" : "application/x-ndjson";
    return new Response(a.status === 204 ? null : a.text ?? JSON.stringify(a.body ?? {}), { status: a.status ?? 200, headers: { "content-type": type, ...a.headers } });
  }) as unknown as typeof globalThis.fetch;
  return { asked, client: new Sluice({ url: "http://s/", fetch, key: "k", WebSocket: FakeSocket as never }) };
}

class FakeSocket {
  static all: FakeSocket[] = [];
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((ev: { data: string }) => void) | null = null;
  onclose: ((ev: { code: number; reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  sent: { type: string; session_id?: string; after?: number }[] = [];
  constructor(readonly url: string, readonly protocols: string[]) { FakeSocket.all.push(this); }
  send(text: string) { this.sent.push(JSON.parse(text)); }
  close() { this.readyState = 3; }
  opened() { this.readyState = 1; this.onopen?.(); }
  says(...frames: object[]) { for (const f of frames) this.onmessage?.({ data: JSON.stringify(f) }); }
  dies() { this.readyState = 3; this.onclose?.({ code: 1006, reason: "" }); }
}
const ev = (session_id: string, seq: number, to?: string) => ({
  seq, session_id, type: to ? "session_state_change" : "log", timestamp: "", data: to ? { from: "running", to } : { text: "" },
}) as SessionEvent;
const ok = (session_id: string, last_seq = 0) => ({ type: "subscribed", session_id, verdict: "recovered", last_seq });

beforeEach(() => { FakeSocket.all = []; vi.useFakeTimers(); });
afterEach(() => void vi.useRealTimers());
const settled = () => vi.advanceTimersByTimeAsync(0);

describe("calls", () => {
  it("go to the operation's route, with ids, query, body and key", async () => {
    const { client, asked } = served({ body: { items: [], next_cursor: null } });
    await client.listMessages("a/b", { limit: 3, cursor: null });
    expect(asked[0]?.url).toBe("http://s/api/v1/sessions/a%2Fb/messages?limit=3");
    expect(asked[0]?.init.headers.Authorization).toBe("Bearer k");
    await client.patchSession("x", { metadata: { a: 1 } } as never, { ifMatch: 4 });
    expect(asked[1]?.init).toMatchObject({ method: "PATCH", body: '{"metadata":{"a":1}}', headers: { "If-Match": "4", "Content-Type": "application/json" } });
    await client.createWorkflow("id: w");
    expect(asked[2]?.init).toMatchObject({ body: "id: w", headers: { "Content-Type": "application/yaml" } });
    await expect(client.getSession("")).rejects.toThrow(TypeError);
    expect(asked).toHaveLength(3);
  });

  it("answers that are no JSON come as text, none as null", async () => {
    expect(await served({ text: "{}\n{}\n" }).client.exportSession("x")).toBe("{}\n{}\n");
    expect(await served({ status: 204 }).client.deleteSession("x")).toBe(null);
  });

  it("failures are sentences with a code", async () => {
    const { client } = served({ status: 409, body: { error: "It is paused.", code: "conflict", details: { a: 1 } } });
    const err = await client.resumeSession("x").catch((e) => e);
    expect(err).toBeInstanceOf(SluiceError);
    expect(err).toMatchObject({ message: "It is paused.", code: "conflict", status: 409, details: { a: 1 } });
  });

  it("tries again what may be repeated, with one key", async () => {
    const { client, asked } = served(new TypeError("no"), { status: 503, body: {}, headers: { "retry-after": "2" } }, { status: 202, body: { session_id: "s" } });
    const done = client.execute({ workflow_id: "w" } as never);
    await vi.advanceTimersByTimeAsync(300);
    expect(asked).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(2000);
    expect(await done).toEqual({ session_id: "s" });
    const keys = asked.map((a) => a.init.headers["Idempotency-Key"]);
    expect(keys[0]).toBeTruthy();
    expect(new Set(keys).size).toBe(1);
  });

  it("does not repeat what could count twice, nor what was refused", async () => {
    const put = served(new TypeError("no"));
    await expect(put.client.putWorkflow("w", {} as never)).rejects.toMatchObject({ code: "unreachable", status: 0 });
    expect(put.asked).toHaveLength(1);
    const bad = served({ status: 400, body: {} });
    await expect(bad.client.listSessions()).rejects.toMatchObject({ code: "http_400" });
    expect(bad.asked).toHaveLength(1);
  });

  it("walks a list to its end", async () => {
    const { client, asked } = served({ body: { items: [1, 2], next_cursor: "c" } }, { body: { items: [3], next_cursor: null } });
    const all: unknown[] = [];
    for await (const x of client.each<number>("listMessages", "s", { role: "user" })) all.push(x);
    expect(all).toEqual([1, 2, 3]);
    expect(asked[1]?.url).toContain("/sessions/s/messages?limit=500&role=user&cursor=c");
  });
});

describe("follow", () => {
  const collect = async (events: AsyncIterable<unknown>) => {
    const all: unknown[] = [];
    for await (const e of events) all.push(e);
    return all as { seq: number; type: string }[];
  };
  const socket = () => FakeSocket.all.at(-1) as FakeSocket;

  it("shares one connection, which is opened with a ticket, and tells sessions apart", async () => {
    const { client, asked } = served({ status: 201, body: { ticket: "t&1", expires_in_ms: 1 } });
    const both = [collect(client.follow("a")), collect(client.follow("b", { after: 4 }))];
    await settled();
    expect(asked.map((a) => a.url)).toEqual(["http://s/api/v1/ws/ticket"]);
    expect(FakeSocket.all).toHaveLength(1);
    expect(socket().url).toBe("ws://s/ws?batch=1&ticket=t%261");
    socket().opened();
    expect(socket().sent.map((m) => [m.session_id, m.after])).toEqual([["a", 0], ["b", 4]]);
    socket().says(ok("a"), ok("b", 4), ev("a", 1), { type: "batch", events: [ev("b", 5), ev("b", 6, "completed")] }, { type: "pong" }, ev("a", 2, "failed"));
    expect((await Promise.all(both)).map((l) => l.map((e) => e.seq))).toEqual([[1, 2], [5, 6]]);
    await vi.advanceTimersByTimeAsync(1500);
    expect(socket().readyState).toBe(3); // nobody wants it any more
  });

  it("comes back on one connection for all, with the last numbers", async () => {
    const { client } = served({ status: 201, body: { ticket: "t", expires_in_ms: 1 } });
    const both = [collect(client.follow("a")), collect(client.follow("b"))];
    await settled();
    socket().opened();
    socket().says(ok("a"), ok("b"), ev("a", 1), ev("b", 1), ev("b", 2));
    socket().dies();
    await vi.advanceTimersByTimeAsync(1000);
    expect(FakeSocket.all).toHaveLength(2);
    socket().opened();
    await settled();
    expect(socket().sent.map((m) => [m.session_id, m.after]).sort()).toEqual([["a", 1], ["b", 2]]);
    socket().says(ok("a"), ok("b"), ev("a", 2, "completed"), ev("b", 3, "completed"));
    expect((await Promise.all(both)).map((l) => l.length)).toEqual([2, 3]);
  });

  it("gives a snapshot in the place of what is gone", async () => {
    const { client } = served({ status: 201, body: { ticket: "t", expires_in_ms: 1 } });
    const all = collect(client.follow("a", { after: 2 }));
    await settled();
    socket().opened();
    socket().says({ type: "subscribed", session_id: "a", verdict: "snapshot", last_seq: 9, session: { id: "a", status: "running" } }, ev("a", 10, "completed"));
    expect((await all).map((e) => e.type)).toEqual(["snapshot", "session_state_change"]);
  });

  it("says what was refused", async () => {
    const refused = served({ status: 401, body: { error: "A key is wanted.", code: "unauthorized" } });
    await expect(collect(refused.client.follow("a"))).rejects.toMatchObject({ status: 401, message: "A key is wanted." });
    const { client } = served({ status: 201, body: { ticket: "t", expires_in_ms: 1 } });
    const missing = collect(client.follow("a")).catch((e) => e);
    await settled();
    socket().opened();
    socket().says({ type: "error", request_id: "a", code: "not_found", error: "there is no such session" });
    expect(await missing).toMatchObject({ status: 404, code: "not_found" });
  });

  it("holds nothing up for who does not take its events", async () => {
    const { client } = served({ status: 201, body: { ticket: "t", expires_in_ms: 1 } });
    const events = client.follow("a");
    const first = events.next();
    await settled();
    socket().opened();
    socket().says(ok("a"), { type: "batch", events: Array.from({ length: 6000 }, (_, i) => ev("a", i + 1)) });
    expect((await first).value).toMatchObject({ seq: 1 });
    expect(socket().sent.map((m) => m.type)).toEqual(["subscribe", "unsubscribe"]);
    for (let i = 2; i <= 6000; i++) await events.next();
    await settled();
    expect(socket().sent.at(-1)).toMatchObject({ type: "subscribe", after: 6000 });
    await events.return(undefined);
  });
});
