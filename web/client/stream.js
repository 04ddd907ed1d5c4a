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
const SILENCE_MAX_MS = 35_000;
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
  #heardAt = 0;
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
    this.#connect();
  }

  close() {
    this.#ended = true;
    this.#drop();
    clearTimeout(this.#timer);
    this.#tell({ state: "closed" });
  }

  /** Try at once instead of at the end of the back-off: a person asked, or the network came back. */
  retryNow() {
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
    this.#tell({ state: "connecting", attempt: this.#attempt });
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
      this.#heardAt = this.#now();
      this.#pinger = setInterval(() => this.#beat(socket), PING_EVERY_MS);
      socket.send(JSON.stringify(this.#options.subscribe(this.#last)));
    };
    socket.onmessage = (ev) => {
      if (this.#socket === socket) this.#receive(socket, ev.data);
    };
    socket.onclose = (ev) => this.#lost(socket, ev.reason || "connection lost");
    socket.onerror = () => {};
  }

  #beat(socket) {
    if (this.#now() - this.#heardAt > SILENCE_MAX_MS) this.#lost(socket, "the server went silent");
    else socket.send('{"type":"ping"}');
  }

  #lost(socket, why) {
    if (this.#socket !== socket) return;
    this.#drop();
    if (!this.#ended) this.#later(why);
  }

  #drop() {
    clearTimeout(this.#timer);
    clearInterval(this.#pinger);
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
    this.#timer = setTimeout(() => this.#connect(), delay);
    this.#tell({ state: "waiting", attempt: this.#attempt, retryAt: this.#now() + delay, why });
  }

  #receive(socket, raw) {
    this.#heardAt = this.#now();
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
        this.#retryHintMs = Math.min(frame.retry_after_ms ?? 0, BACKOFF_MAX_MS);
        break;
      case "error":
        this.#refused(socket, frame.code ?? "error", frame.error ?? "The server refused the subscription.");
        break;
    }
  }

  #subscribed(frame) {
    clearTimeout(this.#timer);
    this.#attempt = 0;
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
