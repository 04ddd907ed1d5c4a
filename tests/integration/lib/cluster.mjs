// Several equal servers over one database and one Redis; with the embedded store, one alone.
import { Server } from './server.mjs';
import { Database, storeKind } from './services.mjs';

const pause = (ms) => new Promise((go) => setTimeout(go, ms));
// What a client sees of a server that dies, and what servers say that cannot just now.
const isPassing = (e) => /fetch failed|terminated|ECONN|socket|other side|aborted|timeout/i.test(`${e} ${e.cause}`);

export class Cluster {
  // chance: picks who is asked
  constructor({ instances, env, chance, store = storeKind() }) {
    this.chance = chance;
    this.database = store === 'postgres' ? new Database() : undefined;
    const count = this.database ? instances : 1;
    this.servers = Array.from({ length: count }, () => new Server({ env, store, database: this.database }));
    this.passed = { network: 0, busy: 0 };
  }

  async start() {
    for (const s of this.servers) await this.up(s);
    return this;
  }

  // Starts one; while the database is away it ends at once, and is started again.
  async up(server, ms = 30000) {
    for (const deadline = Date.now() + ms; ;) {
      try {
        await server.start();
        break;
      } catch (e) {
        if (Date.now() > deadline) throw e;
        await pause(200);
      }
    }
    server.state = 'up';
    if (this.database) server.instance = await this.joined(server);
  }
  // Its id among the instances, once it has one, and another one than `before`.
  async joined(server, before, ms = 15000) {
    for (const deadline = Date.now() + ms; ;) {
      const r = await this.ask('GET', '/instances', undefined, { to: server });
      const id = r.json.items.find((i) => i.self)?.id;
      if (id && id !== before) return id;
      if (Date.now() > deadline) throw new Error(`an instance did not join in ${ms} ms: ${r.text}`);
      await pause(50);
    }
  }

  get ups() { return this.servers.filter((s) => s.state === 'up'); }
  any() { return this.chance.pick(this.ups.length ? this.ups : this.servers); }
  get port() { return this.any().port; } // where a reader connects next

  // Asks until there is an answer other than "not now": any instance, unless `to` names one. A POST needs
  // a `key` (Idempotency-Key), for its outcome may be unknown.
  async ask(method, path, body, { to, key, ms = 60000 } = {}) {
    for (const deadline = Date.now() + ms; ;) {
      const server = to ?? this.any();
      let why;
      try {
        const r = await server.request(method, path, body, key ? { 'idempotency-key': key } : {}, 12000);
        if (r.status !== 503 && r.status !== 429 && r.json?.code !== 'idempotency_key_in_use') return r;
        why = r.text;
        this.passed.busy++;
      } catch (e) {
        if (!isPassing(e)) throw e;
        why = `${e} ${e.cause ?? ''}`;
        this.passed.network++;
      }
      if (Date.now() > deadline) throw new Error(`${method} ${path}: no answer in ${ms} ms: ${why}`);
      await pause(50);
    }
  }

  async events(id) {
    const all = [];
    for (let after = 0; ;) {
      const r = await this.ask('GET', `/sessions/${id}/events?after=${after}&limit=500`);
      if (r.status !== 200) throw new Error(`events of ${id}: ${r.status} ${r.text}`);
      all.push(...r.json.items);
      if (!r.json.next_cursor) return all;
      after = Number(r.json.next_cursor);
    }
  }

  // The value of a counter, over all instances that are up.
  async metric(name) {
    let sum = 0;
    for (const s of this.ups) {
      const { text } = await this.ask('GET', '/metrics', undefined, { to: s });
      sum += Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
    }
    return sum;
  }

  async close() {
    for (const s of this.servers) await s.close();
    this.database?.drop();
  }
}
