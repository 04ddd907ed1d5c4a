// Many subscriptions over one WebSocket. Each event stream has a socket of its own as far as it knows; those of
// different sessions and of the list channel share a connection, which is opened for the first and closed after the
// last. When it is lost all of them are told; the first that comes back opens the next one and wakes the others.
//
// A state change of a session that is read comes twice, for the session and for the channel. The channel's copy bears
// a mark and goes to the channel only: it may be far ahead of what the session's stream has reached, and would look
// like a gap there.

const LINGER_MS = 1_000; // without a subscription, before it is closed
const MEMBERS_MAX = 200; // the server takes 256 on one WebSocket
const CHANNEL = ""; // the key of the list channel; those of sessions are their ids
const PING = '{"type":"ping"}';
const PING_FRESH_MS = 5_000; // the answer to one member's ping serves the others

class Member {
  readyState = 0;
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;
  constructor(shared, key) {
    this.shared = shared;
    this.key = key;
  }
  send(text) {
    this.shared.send(this, text);
  }
  close() {
    this.shared.leave(this);
  }
  opened() {
    this.readyState = 1;
    this.onopen?.();
  }
  lost(code, reason) {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
}

/** Whose frame it is; undefined: everybody's. */
function keyOf(frame) {
  if (frame.channel === "sessions" || frame.request_id === "sessions") return CHANNEL;
  if (frame.type === "batch") return frame.events?.[0]?.session_id;
  return frame.session_id ?? frame.request_id;
}

class Shared {
  #open;
  #why;
  #ended;
  #socket = null;
  #closed = false;
  #linger;
  #opened;
  #pingedAt = 0;
  #pinging = false;
  members = new Map(); // by key

  constructor(open, why, opened, ended) {
    this.#open = open;
    this.#why = why;
    this.#opened = opened;
    this.#ended = ended;
    void this.#connect();
  }

  async #connect() {
    let socket;
    try {
      socket = await this.#open();
    } catch (err) {
      this.#refused(err);
      this.#lost(1006, err?.message ?? "");
      return;
    }
    if (this.#closed) {
      socket.onopen = () => socket.close(1000);
      socket.onerror = () => {};
      return;
    }
    this.#socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      for (const m of [...this.members.values()]) m.opened();
      this.#opened();
    };
    socket.onmessage = (ev) => this.#receive(ev.data);
    socket.onclose = async (ev) => {
      // Why a handshake failed is not told to programs: ask over HTTP whether we may come in.
      if (!opened) this.#refused(await this.#why());
      this.#lost(ev.code, ev.reason);
    };
    socket.onerror = () => {};
  }

  // A refusal is an answer: trying again does not mend it.
  #refused(err) {
    if (err?.status !== 401 && err?.status !== 403) return;
    this.#toAll({ type: "error", code: err.status === 401 ? "unauthorized" : "forbidden", error: err.message });
  }

  join(key) {
    const member = new Member(this, key);
    clearTimeout(this.#linger);
    this.members.set(key, member);
    // The stream sets its callbacks first.
    if (this.#socket?.readyState === 1) queueMicrotask(() => { if (this.members.get(key) === member) member.opened(); });
    return member;
  }

  leave(member) {
    member.readyState = 3;
    if (this.members.get(member.key) !== member) return;
    this.members.delete(member.key);
    if (this.#socket?.readyState === 1 && member.subscribed) {
      // Named, so that its ack is taken for nobody's.
      const what = member.key === CHANNEL ? { channel: "sessions" } : { session_id: member.key };
      this.#socket.send(JSON.stringify({ type: "unsubscribe", request_id: "left", ...what }));
    }
    if (this.members.size === 0) {
      this.#linger = setTimeout(() => this.close(), LINGER_MS);
      this.#linger.unref?.(); // nothing of ours keeps a program from ending
    }
  }

  send(member, text) {
    if (this.#socket?.readyState !== 1) return;
    if (text === PING) {
      this.#ping(member);
      return;
    }
    member.subscribed = true;
    this.#socket.send(text);
  }

  // Everybody hears the answer; one ping for all of them is enough.
  #ping(member) {
    const fresh = Date.now() - this.#pingedAt < PING_FRESH_MS;
    if (!fresh) {
      this.#pingedAt = Date.now();
      this.#pinging = true;
      this.#socket.send(PING);
    } else if (!this.#pinging) {
      queueMicrotask(() => member.onmessage?.({ data: { type: "pong" } }));
    }
  }

  close() {
    clearTimeout(this.#linger);
    const socket = this.#socket;
    this.#lost(1000, "");
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    if (socket.readyState <= 1) socket.close(1000);
  }

  #lost(code, reason) {
    if (this.#closed) return;
    this.#closed = true;
    this.#ended(this);
    const members = [...this.members.values()];
    this.members.clear();
    for (const m of members) m.lost(code, reason);
  }

  #toAll(frame) {
    for (const m of [...this.members.values()]) m.onmessage?.({ data: frame });
  }

  #receive(raw) {
    this.#pinging = false;
    let frame;
    try {
      frame = JSON.parse(String(raw));
    } catch {
      this.#toAll(String(raw));
      return;
    }
    const key = keyOf(frame);
    if (key === undefined) this.#toAll(frame); // pong, going_away, an error of the connection
    else this.members.get(key)?.onmessage?.({ data: frame });
  }
}

export class Hub {
  #open;
  #why;
  #opened;
  #shared = new Set();

  /** open: gives a WebSocket that is connecting, maybe later. why: after one that did not open, the error that a call
   *  gets, or null. opened: there is a connection. */
  constructor(open, why, opened = () => {}) {
    this.#open = open;
    this.#why = why;
    this.#opened = opened;
  }

  /** A socket, as its stream sees it, for one session or ("") the list channel. */
  socket(key) {
    const fits = (s) => !s.members.has(key) && s.members.size < MEMBERS_MAX;
    let shared = [...this.#shared].find(fits);
    if (!shared) {
      shared = new Shared(this.#open, this.#why, this.#opened, (s) => this.#shared.delete(s));
      this.#shared.add(shared);
    }
    return shared.join(key);
  }

  close() {
    for (const s of [...this.#shared]) s.close();
  }
}
