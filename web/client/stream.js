// One subscription over WebSocket that survives its connections: it reconnects with back-off, asks for
// exactly the events after the last one it delivered, and delivers each event once, in order.
//
//   idle -> connecting -> live -> waiting -> connecting -> ...        close() ends it from anywhere
//
// A sequence that jumps is a broken promise of the server or of something between; the connection is
// then given up and a new one asks again from the last good event, so that a gap never reaches the view.

const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 8_000;
const PING_EVERY_MS = 15_000;
const ANSWER_MAX_MS = 12_000; // to a ping
const PROBE_MAX_MS = 4_000; // the same when a person waits for it
const CONNECT_MAX_MS = 10_000;
// Errors that trying again cannot mend.
const REFUSALS = new Set(["not_found", "session_not_found", "forbidden", "unauthorized"]);

export class EventStream {
  #options;
  #socket = null;
  #last;
  #attempt = 0;
  #gaps = 0;
  #ended = false;
  #held = false;
  #timer;
  #pinger;
  #prober;
  #heardAt = 0;
  #pingedAt = 0; // 0: no answer is awaited
  #awaySince; // undefined: live
  #leaving = false;
  #reading = false; // this connection's subscription has begun
  #retryHintMs = 0;
  #link = { state: "closed" };

  constructor(options) {
    this.#options = options;
    this.#last = options.after ?? 0;
  }

  get lastSeq() {
    return this.#last;
  }

  start() {
    this.#ended = false;
    this.#awaySince ??= this.#now();
    this.#connect();
  }

  close() {
    this.#ended = true;
    this.#drop();
    clearTimeout(this.#timer);
    this.#tell({ state: "closed" });
  }

  /** Try at once instead of at the end of the back-off: a person asked, or the network came back. One that is live is
   *  asked whether it still is: after a sleep nobody has told it. */
  retryNow() {
    if (this.#link.state === "live") this.#probe();
    else this.wake();
  }

  /** Ends a back-off: others have found the server. */
  wake() {
    if (this.#ended || this.#link.state !== "waiting") return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  /** After a snapshot was taken: go on from its number. */
  rewindTo(seq) {
    this.#last = seq;
  }

  /** Takes nothing more until release(): the log keeps what comes. */
  hold() {
    if (this.#ended || this.#held) return;
    this.#held = true;
    this.#drop();
    clearTimeout(this.#timer);
  }

  release() {
    if (!this.#held) return;
    this.#held = false;
    if (!this.#ended) this.#connect();
  }

  #now() {
    return (this.#options.now ?? Date.now)();
  }

  #tell(link) {
    this.#link = link;
    this.#options.onLink?.(link);
  }

  #connect() {
    this.#drop();
    this.#tell({ state: "connecting", attempt: this.#attempt, since: this.#awaySince, leaving: this.#leaving });
    let socket;
    try {
      socket = this.#options.open();
    } catch (err) {
      this.#later(err instanceof Error ? err.message : "could not open a connection");
      return;
    }
    this.#socket = socket;
    // A handshake that hangs has no event of its own.
    this.#timer = setTimeout(() => this.#lost(socket, "the server does not answer"), CONNECT_MAX_MS);
    socket.onopen = () => {
      if (this.#socket !== socket) return;
      this.#heard();
      this.#pinger = setInterval(() => this.#beat(socket), PING_EVERY_MS);
      socket.send(JSON.stringify(this.#options.subscribe(this.#last)));
    };
    socket.onmessage = (ev) => {
      if (this.#socket === socket) this.#receive(socket, ev.data);
    };
    socket.onclose = (ev) => this.#lost(socket, ev.reason || "connection lost");
    socket.onerror = () => {};
  }

  #heard() {
    this.#heardAt = this.#now();
    this.#pingedAt = 0;
  }

  // Silence is a ping without an answer, not time that passed: in a hidden tab timers come late.
  #beat(socket) {
    if (this.#pingedAt && this.#now() - this.#pingedAt >= ANSWER_MAX_MS) this.#lost(socket, "the server went silent");
    else if (!this.#pingedAt) this.#ping(socket);
  }

  #ping(socket) {
    this.#pingedAt = this.#now();
    socket.send('{"type":"ping"}');
  }

  #probe() {
    const socket = this.#socket;
    if (!socket || this.#prober) return;
    this.#ping(socket);
    this.#prober = setTimeout(() => {
      this.#prober = undefined;
      if (this.#pingedAt) this.#lost(socket, "the server does not answer");
    }, PROBE_MAX_MS);
  }

  #lost(socket, why) {
    if (this.#socket !== socket) return;
    this.#drop();
    if (!this.#ended) this.#later(why);
  }

  #drop() {
    clearTimeout(this.#timer);
    clearInterval(this.#pinger);
    clearTimeout(this.#prober);
    this.#prober = undefined;
    this.#pingedAt = 0;
    this.#reading = false;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
    if (socket.readyState <= 1) socket.close(1000);
  }

  #later(why) {
    const jitter = 0.75 + (this.#options.random ?? Math.random)() * 0.5;
    const backoff = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.#attempt) * jitter;
    const delay = Math.round(Math.max(backoff, this.#retryHintMs));
    this.#retryHintMs = 0;
    this.#attempt += 1;
    // What is known is of the last moment that something was heard.
    this.#awaySince ??= this.#heardAt || this.#now();
    this.#timer = setTimeout(() => this.#connect(), delay);
    this.#tell({ state: "waiting", attempt: this.#attempt, retryAt: this.#now() + delay, why, since: this.#awaySince, leaving: this.#leaving });
  }

  #receive(socket, raw) {
    this.#heard();
    let frame;
    try {
      frame = typeof raw === "object" && raw !== null ? raw : JSON.parse(String(raw));
    } catch {
      this.#lost(socket, "the server sent something that is not JSON");
      return;
    }
    if (typeof frame.seq === "number") this.#deliver(socket, [frame]);
    else this.#control(socket, frame);
  }

  #control(socket, frame) {
    switch (frame.type) {
      case "batch":
        this.#deliver(socket, frame.events);
        break;
      case "subscribed":
        this.#subscribed(frame);
        break;
      case "ack":
        // The list channel has no verdict.
        if (!this.#options.sequenced && this.#link.state !== "live") this.#subscribed(frame);
        break;
      case "going_away":
        this.#leaving = true;
        this.#retryHintMs = Math.min(frame.retry_after_ms ?? 0, BACKOFF_MAX_MS);
        break;
      case "watching":
        this.#options.onWatching?.({ count: frame.count, names: frame.names });
        break;
      case "error":
        this.#refused(socket, frame.code ?? "error", frame.error ?? "The server refused the subscription.");
        break;
    }
  }

  #subscribed(frame) {
    clearTimeout(this.#timer);
    this.#attempt = 0;
    this.#awaySince = undefined;
    this.#leaving = false;
    this.#reading = true;
    if (frame.verdict === "snapshot") {
      this.#last = frame.last_seq ?? frame.session?.last_seq ?? 0;
      this.#options.onSnapshot?.(frame.session, this.#last);
    }
    this.#options.onSubscribed?.(frame.last_seq ?? this.#last, frame.verdict);
    this.#tell({ state: "live" });
  }

  #refused(socket, code, why) {
    if (this.#link.state === "live") return;
    if (!REFUSALS.has(code)) {
      this.#lost(socket, why);
      return;
    }
    this.#ended = true;
    this.#drop();
    this.#tell({ state: "refused", code, why });
  }

  #deliver(socket, events) {
    if (!this.#options.sequenced) {
      this.#options.onEvents(events);
      return;
    }
    // On a shared connection the rest of a subscription that was given up comes first.
    if (!this.#reading) return;
    const fresh = [];
    let gap = false;
    for (const event of events) {
      if (event.seq <= this.#last) continue;
      if (event.seq !== this.#last + 1) {
        gap = true;
        break;
      }
      this.#last = event.seq;
      fresh.push(event);
    }
    if (fresh.length) {
      this.#gaps = 0;
      this.#options.onEvents(fresh);
    }
    if (gap && this.#socket === socket) {
      // A gap that stays must not become a busy loop: the back-off grows until an event gets through.
      this.#attempt = Math.max(this.#attempt, this.#gaps++);
      this.#lost(socket, "an event is missing; asking for it again");
    }
  }
}
