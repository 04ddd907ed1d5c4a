#!/usr/bin/env node
// A stand-in for the server, for work on the page: the routes and frames of the contract that the page uses,
// sessions in memory, and workflows that are played, not run. It also serves dist/ with the real
// content-security policy. Its interface is the real one's: --listen HOST:PORT, and the first line on
// standard output says where it listens.
//
//   node dev/fake-server.mjs [--listen 127.0.0.1:8080] [--speed 1]
//
// With --keep N a log holds its newest N events only: whoever is further back gets the verdict "snapshot".
// A topic with "fail" in it fails a node, with "retry" restarts an attempt, with "long" streams thousands of tokens.
import { createHash, randomUUID } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";
import { workflows, lines } from "./fake-data.mjs";

const argv = process.argv.slice(2);
const option = (name, fallback) => {
  const i = argv.indexOf(name);
  return i < 0 ? fallback : argv[i + 1];
};
const [host, port] = option("--listen", "127.0.0.1:8080").split(":");
const speed = Number(option("--speed", process.env.FAKE_SPEED ?? "1"));
const keep = Number(option("--keep", "Infinity"));
const dist = join(fileURLToPath(import.meta.url), "../../dist");

const sessions = new Map();
const sockets = new Set();
const now = () => new Date().toISOString();

class Cancelled extends Error {}
class NodeFailed extends Error {
  constructor(nodeId, code, message) {
    super(message);
    Object.assign(this, { nodeId, code });
  }
}

class FakeSession {
  constructor(workflow, input, name) {
    Object.assign(this, {
      id: randomUUID(), workflow, input, name: name ?? null, status: "pending", reason: null, output: null, error: null,
      log: [], nodes: {}, runs: [], messages: [], waiting: new Map(), inbox: [], usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0 },
      created_at: now(), started_at: null, ended_at: null, gate: Promise.resolve(), openGate: null,
    });
    for (const id of Object.keys(workflow.nodes)) this.nodes[id] = "pending";
  }

  emit(type, data, node_id, run_id) {
    const event = { seq: this.log.length + 1, session_id: this.id, type, timestamp: now(), ...(node_id ? { node_id, run_id } : {}), data };
    this.log.push(event);
    for (const s of sockets) s.notice(this, event);
    return event;
  }

  move(to, more = {}) {
    const from = this.status;
    this.status = to;
    if (to === "running") this.started_at ??= now();
    if (["completed", "failed", "cancelled"].includes(to)) {
      this.ended_at = now();
      Object.assign(this, { output: more.output ?? null, error: more.error ?? null });
    }
    this.reason = more.reason ?? null;
    return this.emit("session_state_change", { from, to, ...more });
  }

  /** Everything the played workflow does goes through here: nothing moves while the gate is closed. */
  async pass(ms = 0) {
    if (ms) await new Promise((r) => setTimeout(r, ms / speed));
    await this.gate;
    if (this.status === "cancelled") throw new Cancelled();
  }

  pause(reason) {
    this.gate = new Promise((r) => { this.openGate = r; });
    return this.move("paused", { quiesced: true, reason });
  }

  resume() {
    const event = this.move("running");
    this.openGate();
    return event;
  }

  cancel(reason) {
    this.move("cancelled", { reason });
    this.openGate?.();
    for (const { drop } of this.waiting.values()) drop(new Cancelled());
    this.waiting.clear();
  }

  async node(id, work, { iteration = 1, branch, attempt = 1 } = {}) {
    await this.pass(20);
    const run = { run_id: randomUUID(), node_id: id, status: "running", attempt, iteration, started_at: now() };
    this.runs.push(run);
    const change = (to, more = {}) => {
      const from = run.status === to ? "pending" : run.status;
      run.status = this.nodes[id] = to;
      Object.assign(run, more.output !== undefined ? { output: more.output } : {});
      this.emit("node_state_change", { from, to, attempt, iteration, ...(branch ? { branch } : {}), ...more }, id, run.run_id);
    };
    change("running");
    try {
      const output = await work({ run, change });
      await this.pass();
      change("completed", { output: output ?? null });
      return output;
    } catch (err) {
      if (err instanceof NodeFailed) change("failed", { error: { code: err.code, message: err.message } });
      throw err;
    }
  }

  skip(id) {
    const run_id = randomUUID();
    this.nodes[id] = "skipped";
    this.emit("node_state_change", { from: "pending", to: "skipped", attempt: 1, iteration: 1 }, id, run_id);
  }

  async say({ run }, agent_id, { thinking, text, restartAt, failAt, ms = 28 }) {
    const message_id = randomUUID();
    let index = 0;
    const send = async (chunk, is_thinking) => {
      await this.pass(ms * (0.4 + Math.random() * 1.2));
      this.emit("token_stream", { message_id, agent_id, index: index++, chunk, is_thinking }, run.node_id, run.run_id);
    };
    const words = (t) => t.match(/\s*\S{1,7}/g) ?? [];
    for (const w of words(thinking ?? "")) await send(w, true);
    const body = words(text);
    for (let i = 0; i < body.length; i++) {
      if (restartAt === i) {
        await this.pass(400);
        this.emit("stream_reset", { message_id, reason: "the model server closed the connection (attempt 2)" }, run.node_id, run.run_id);
        restartAt = -1;
        i = -1;
        continue;
      }
      if (failAt === i) throw new NodeFailed(run.node_id, "model_truncated", "The model's stream ended without a finish reason after 3 attempts.");
      await send(body[i], false);
    }
    const content = text.replace(/\s+$/, "");
    const tail = words(text).join("");
    await this.pass();
    const token_count = body.length;
    this.messages.push({ message_id, node_id: run.node_id, run_id: run.run_id, role: "assistant", agent_id, content: tail, token_count, finish_reason: "stop", created_at: now() });
    this.emit("message", { message_id, role: "assistant", agent_id, content: tail, token_count, finish_reason: "stop" }, run.node_id, run.run_id);
    const used = { input_tokens: 200 + token_count, output_tokens: token_count, cost_usd: token_count * 0.000002 };
    for (const k of Object.keys(used)) this.usage[k] += used[k];
    this.emit("token_usage", { model: "demo-1", provider: "demo", ...used, session: { ...this.usage } }, run.node_id, run.run_id);
    return content;
  }

  async human({ run, change }, kind, more) {
    await this.pass();
    const interrupt_id = randomUUID();
    change("suspended", { interrupt_id });
    this.emit("human_interaction_required", { interrupt_id, kind, expires_at: new Date(Date.now() + 30 * 60e3).toISOString(), ...more }, run.node_id, run.run_id);
    const answer = await new Promise((done, drop) => this.waiting.set(run.node_id, { interrupt_id, kind, done, drop }));
    await this.pass();
    change("running");
    return answer;
  }

  async play(script) {
    this.move("running");
    try {
      const output = await script(this);
      await this.pass();
      this.move("completed", { output });
    } catch (err) {
      if (err instanceof Cancelled) return;
      if (!(err instanceof NodeFailed)) console.error(err);
      await this.gate;
      if (this.status !== "cancelled") this.move("failed", { error: { code: err.code ?? "internal", message: err.message, node_id: err.nodeId } });
    }
  }

  object() {
    return {
      id: this.id, name: this.name, workflow_id: this.workflow.id, workflow_version: 1, status: this.status, reason: this.reason,
      input: this.input, output: this.output, error: this.error, node_statuses: { ...this.nodes }, tags: [],
      waiting_on: [...this.waiting].map(([node_id, w]) => ({ node_id, interrupt_id: w.interrupt_id, kind: w.kind, expires_at: null })),
      usage: this.usage, last_seq: this.log.length, created_at: this.created_at, started_at: this.started_at, ended_at: this.ended_at,
      updated_at: this.log[this.log.length - 1]?.timestamp ?? this.created_at, version: 1,
    };
  }
}

const scripts = {
  "council-debate": async (s) => {
    const topic = String(s.input.topic);
    const t = topic.toLowerCase();
    await s.node("start", () => s.input);
    let iteration = 1;
    let verdict = "";
    for (let round = 1; ; round++) {
      await s.node("rounds", async ({ run }) => {
        s.emit("loop_round", { round, max_rounds: 3, history: [] }, "rounds", run.run_id);
        return { round };
      }, { iteration: round });
      await s.node("panel", async ({ run }) => s.emit("parallel_start", { branches: ["pro", "con", "use"] }, "panel", run.run_id) && null, { iteration: round });
      const long = t.includes("long") ? 40 : 1;
      const sides = await Promise.allSettled([
        s.node("pro", (n) => s.say(n, "affirmative", { thinking: round === 1 ? lines.proThinking : undefined, text: lines.pro(topic, round).repeat(long), restartAt: t.includes("retry") && round === 1 ? 20 : -1, ms: long > 1 ? 2 : 28 }), { iteration: round, branch: "pro" }),
        s.node("con", (n) => s.say(n, "negative", { text: lines.con(topic, round).repeat(long), failAt: t.includes("fail") ? 25 : -1, ms: long > 1 ? 2 : 32 }), { iteration: round, branch: "con" }),
        s.node("use", (n) => s.say(n, "pragmatist", { text: lines.use(topic), ms: 60 }), { iteration: round, branch: "use" }),
      ]);
      for (const side of sides) if (side.status === "rejected") throw side.reason;
      verdict = await s.node("judge", (n) => s.say(n, "judge", { thinking: lines.judgeThinking, text: lines.judge(topic, round) }), { iteration });
      const answer = await s.node("review", (n) => s.human(n, "approve_reject", {
        reason: "Is the verdict fair to both sides?", actions: ["approve", "reject", "modify"], draft: verdict,
      }), { iteration });
      iteration++;
      if (answer.action !== "reject") {
        if (answer.data?.content) verdict = answer.data.content;
        break;
      }
    }
    return s.node("end", () => ({ verdict }));
  },
  "hello": async (s) => {
    await s.node("start", () => s.input);
    const text = await s.node("greet", (n) => s.say(n, "greeter", { text: lines.hello(s.input.name ?? "you") }));
    return s.node("end", () => text);
  },
  "interview": async (s) => {
    await s.node("start", () => s.input);
    await s.node("ask", (n) => s.say(n, "interviewer", { text: lines.ask }));
    const said = await s.node("answer", (n) => s.human(n, "user_input", { reason: "What should the summary stress?", actions: ["submit"] }));
    await s.node("sum", (n) => s.say(n, "interviewer", { text: lines.sum(String(said.data?.content ?? "")) }));
    s.skip("appendix");
    return s.node("end", () => null);
  },
};

// ---- HTTP

class HttpError extends Error {
  constructor(status, code, message, details) {
    super(message);
    Object.assign(this, { status, code, details });
  }
}
const page = (items) => ({ items, next_cursor: null });
const sessionOf = (id) => sessions.get(id) ?? (() => { throw new HttpError(404, "not_found", "Session not found"); })();
const need = (session, ...statuses) => {
  if (!statuses.includes(session.status)) throw new HttpError(409, "wrong_state", `The session is ${session.status}.`);
  return session;
};

function execute(body) {
  const workflow = workflows.find((w) => w.id === body.workflow_id);
  if (!workflow) throw new HttpError(404, "not_found", `There is no workflow "${body.workflow_id}".`);
  for (const key of workflow.input_schema?.required ?? []) {
    if (!body.input?.[key]) throw new HttpError(400, "invalid_input", `input.${key} is required.`, { path: `input.${key}` });
  }
  const session = new FakeSession(workflow, body.input ?? {}, body.name);
  sessions.set(session.id, session);
  setTimeout(() => void session.play(scripts[workflow.id]));
  return [202, { session_id: session.id, status: "started" }];
}

function review(id) {
  for (const session of sessions.values()) {
    const asked = session.log.find((e) => e.type === "human_interaction_required" && e.data.interrupt_id === id);
    if (!asked) continue;
    const answered = session.log.find((e) => e.type === "node_resumed" && e.data.interrupt_id === id);
    const status = answered ? "answered" : [...session.waiting.values()].some((w) => w.interrupt_id === id) ? "pending" : "cancelled";
    const answer = answered ? { action: answered.data.action, data: answered.data.data ?? null, reviewer: null, at: answered.timestamp } : null;
    return {
      ...asked.data, session_id: session.id, session_name: session.name ?? null, workflow_id: session.workflow?.id ?? null, node_id: asked.node_id, status, answer,
      expires_at: null, created_at: asked.timestamp, updated_at: answered?.timestamp ?? asked.timestamp,
    };
  }
  throw new HttpError(404, "not_found", "there is no such review");
}

const routes = [
  ["GET", /^\/workflows$/, () => page(workflows.map(({ nodes, ...rest }) => rest))],
  ["GET", /^\/workflows\/([^/]+)$/, (_, id) => workflows.find((w) => w.id === id) ?? (() => { throw new HttpError(404, "not_found", "Workflow not found"); })()],
  ["POST", /^\/workflows$/, () => { throw new HttpError(422, "invalid_workflow", "nodes.judge.next_ids[0]: no node \"jugde\"", { errors: [{ node_id: "judge", path: "nodes.judge.next_ids[0]", code: "unknown_node", message: "no node \"jugde\"" }] }); }],
  ["POST", /^\/workflows\/execute$/, (body) => execute(body)],
  ["POST", /^\/workflows\/estimate$/, () => ({ tokens: { input: 900, output: 600, total: 1500 }, cost_usd: 0, seconds: 12, nodes: [], agents: [], warnings: [] })],
  ["GET", /^\/(reviews|templates|groups|llm\/providers)$/, () => page([])],
  ["GET", /^\/reviews\/([^/]+)$/, (_, id) => review(id)],
  ["GET", /^\/whoami$/, () => ({ kind: "anonymous", name: "anonymous", role: "admin", workspace: "default", key_id: null, expires_at: null, auth: "off" })],
  ["GET", /^\/sessions$/, (_, __, q) => page([...sessions.values()].reverse().map((s) => s.object())
    .filter((s) => (!q.get("status") || q.get("status").split(",").includes(s.status)) && (!q.get("q") || JSON.stringify(s).includes(q.get("q")))))],
  ["GET", /^\/sessions\/([^/]+)$/, (_, id) => sessionOf(id).object()],
  ["GET", /^\/sessions\/([^/]+)\/messages$/, (_, id) => page(sessionOf(id).messages)],
  ["GET", /^\/sessions\/([^/]+)\/nodes$/, (_, id) => page(sessionOf(id).runs)],
  ["GET", /^\/sessions\/([^/]+)\/events$/, (_, id, q) => page(sessionOf(id).log.filter((e) => e.seq > Number(q.get("after") ?? 0)))],
  ["POST", /^\/sessions\/([^/]+)\/pause$/, async (body, id) => {
    await new Promise((r) => setTimeout(r, 120));
    return { status: "paused", seq: need(sessionOf(id), "running").pause(body?.reason).seq };
  }],
  ["POST", /^\/sessions\/([^/]+)\/resume$/, (_, id) => ({ status: "running", seq: need(sessionOf(id), "paused").resume().seq })],
  ["POST", /^\/sessions\/([^/]+)\/cancel$/, (body, id) => { need(sessionOf(id), "running", "paused").cancel(body?.reason); return { status: "cancelled" }; }],
  ["POST", /^\/sessions\/([^/]+)\/nodes\/([^/]+)\/resume$/, (body, id, _, nodeId) => {
    const session = sessionOf(id);
    const wait = session.waiting.get(nodeId);
    if (!wait || (body.interrupt_id && body.interrupt_id !== wait.interrupt_id)) throw new HttpError(409, "not_suspended", "That question was answered already.");
    session.waiting.delete(nodeId);
    const run = session.runs.filter((r) => r.node_id === nodeId).pop();
    session.emit("node_resumed", { interrupt_id: wait.interrupt_id, action: body.action, data: body.data ?? null, reviewer: body.reviewer ?? null }, nodeId, run.run_id);
    wait.done({ action: body.action, data: body.data });
    return { status: "resumed" };
  }],
  ["POST", /^\/sessions\/([^/]+)\/input$/, (body, id) => {
    const session = sessionOf(id);
    const entry = [...session.waiting].find(([, w]) => w.kind === "user_input");
    session.emit("user_input", { content: body.content, user_id: null });
    if (entry) {
      session.waiting.delete(entry[0]);
      const run = session.runs.filter((r) => r.node_id === entry[0]).pop();
      session.emit("node_resumed", { interrupt_id: entry[1].interrupt_id, action: "input", data: { content: body.content }, reviewer: null }, entry[0], run.run_id);
      entry[1].done({ action: "input", data: { content: body.content } });
    }
    return { status: "accepted" };
  }],
];

const CSP = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";
const MIME = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

function serveFile(path, res) {
  let file = join(dist, normalize(path.replace(/^\/ui\/?/, "/")));
  if (!file.startsWith(dist) || !existsSync(file) || statSync(file).isDirectory()) file = join(dist, "index.html");
  const body = readFileSync(file);
  res.writeHead(200, {
    "content-type": MIME[extname(file)] ?? "application/octet-stream", "content-security-policy": CSP,
    etag: `"${createHash("sha1").update(body).digest("hex")}"`, "cache-control": "no-cache",
  }).end(body);
}

const server = createServer((req, res) => {
  const url = new URL(req.url, "http://x");
  if (url.pathname === "/") return res.writeHead(302, { location: "/ui/" }).end();
  if (url.pathname.startsWith("/ui")) return serveFile(url.pathname, res);
  const path = url.pathname.replace(/^\/api\/v1/, "");
  let raw = "";
  req.on("data", (d) => { raw += d; });
  req.on("end", async () => {
    const answer = (status, body) => res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    try {
      for (const [method, pattern, handler] of routes) {
        const match = method === req.method && path.match(pattern);
        if (!match) continue;
        let body = null;
        try { body = raw ? JSON.parse(raw) : null; } catch { /* a YAML workflow */ }
        const result = await handler(body, decodeURIComponent(match[1] ?? ""), url.searchParams, decodeURIComponent(match[2] ?? ""));
        if (Array.isArray(result)) answer(...result);
        else answer(200, result);
        return;
      }
      throw new HttpError(404, "not_found", "There is nothing at this address.");
    } catch (err) {
      answer(err.status ?? 500, { error: err.message, code: err.code ?? "internal", details: err.details ?? {} });
    }
  });
});

// ---- WebSocket

const wss = new WebSocketServer({ noServer: true, handleProtocols: (set) => (set.has("sluice.v1") ? "sluice.v1" : false) });
server.on("upgrade", (req, socket, head) => {
  if (!req.url.startsWith("/ws")) return socket.destroy();
  wss.handleUpgrade(req, socket, head, (ws) => connected(ws, new URL(req.url, "http://x")));
});

function connected(ws, url) {
  const batch = url.searchParams.get("batch") === "1";
  const subscribed = new Map();
  let all = false;
  const send = (frame) => ws.send(JSON.stringify(frame));
  const drain = (session) => {
    const from = subscribed.get(session.id);
    const events = session.log.slice(from);
    subscribed.set(session.id, session.log.length);
    if (batch && events.length > 1) for (let i = 0; i < events.length; i += 500) send({ type: "batch", events: events.slice(i, i + 500) });
    else events.forEach(send);
  };
  const me = {
    notice(session, event) {
      if (subscribed.has(session.id)) drain(session);
      else if (all && event.type === "session_state_change") send(event);
    },
  };
  sockets.add(me);
  ws.on("close", () => sockets.delete(me));
  ws.on("message", (raw) => {
    const m = JSON.parse(String(raw));
    if (m.type === "ping") send({ type: "pong" });
    else if (m.type === "subscribe" && m.channel === "sessions") {
      all = true;
      send({ type: "subscribed", channel: "sessions", verdict: "recovered" });
    } else if (m.type === "subscribe") {
      const session = sessions.get(m.session_id);
      if (!session) return send({ type: "error", code: "not_found", error: "There is no such session." });
      const lost = session.log.length - (m.after ?? 0) > keep;
      subscribed.set(session.id, lost ? session.log.length : m.after ?? 0);
      send({
        type: "subscribed", session_id: session.id, verdict: lost ? "snapshot" : "recovered", last_seq: session.log.length,
        ...(lost ? { session: session.object() } : {}),
      });
      drain(session);
    }
  });
}

server.listen(Number(port), host, () => console.log(`listening on http://${host}:${server.address().port}`));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
