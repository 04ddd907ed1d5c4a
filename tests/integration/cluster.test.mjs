// Several servers over one PostgreSQL, with Redis and without: commands anywhere, deaths, hand-overs.
// Hurts the services: runs alone on its side.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { Reader } from './lib/client.mjs';
import { Server, Standin, sluiceBin } from './lib/server.mjs';
import { Database, ctl, storeKind } from './lib/services.mjs';
import { until } from './lib/until.mjs';

const skip = storeKind() === 'postgres' ? false : 'the embedded store has one instance';
const review = {
  nodes: {
    start: { type: 'start', next_ids: ['ask'] },
    ask: { type: 'human_review', properties: { review_type: 'approve_reject' }, routes: { approve: 'end', reject: 'end' } },
    end: { type: 'end' },
  },
};
const talk = (text, rate) => ({
  nodes: {
    start: { type: 'start', next_ids: ['talk'] },
    talk: { type: 'llm', properties: { prompt: `[[echo rate=${rate}]]${text}` }, next_ids: ['end'] },
    end: { type: 'end' },
  },
});
const words = (n) => Array.from({ length: n }, (_, i) => `word${i}`).join(' ');

const metric = async (server, name) =>
  Number(new RegExp(`^${name} (\\S+)$`, 'm').exec((await server.get('/metrics')).text)[1]);
const answer = (server, id, action = 'approve', headers = {}) =>
  server.post(`/sessions/${id}/nodes/ask/resume`, { action }, headers);
const applied = (events) => events.filter((e) => e.type === 'node_resumed').length;
const gapless = (events) => events.forEach((e, i) => assert.equal(e.seq, i + 1));
async function waiting(server, id) {
  await until(async () => (await server.get(`/sessions/${id}`)).json.waiting_on.length === 1);
}

for (const cache of ['redis', 'none']) {
  describe(`cache: ${cache}`, { skip }, () => {
    let standin, database;
    const servers = [];
    const serve = async (...args) => {
      const env = { ...standin.env, ...(cache === 'none' ? { SLUICE_CACHE: '' } : {}) };
      const server = await new Server({ env, args, store: 'postgres', database }).start();
      servers.push(server);
      return server;
    };
    const instances = async (server) => (await server.get('/instances')).json.items;
    // n servers that all know of each other
    async function together(n) {
      const all = [];
      for (let i = 0; i < n; i++) all.push(await serve());
      for (const s of all)
        await until(async () => (await metric(s, 'sluice_instances')) === n && (await instances(s)).length === n);
      return all;
    }
    async function apart() {
      const all = servers.splice(0);
      try {
        for (const s of all) await s.close();
      } finally {
        for (const s of all) if (s.process) await s.kill();
      }
    }
    before(async () => {
      standin = await new Standin().start();
      database = new Database();
    });
    afterEach(apart);
    after(async () => {
      database.drop();
      await standin.close();
    });

    test('a command to the wrong instance takes effect once, and is answered as if it were the right one', async () => {
      const [a, b] = await together(2);
      const id = await a.execute(review);
      await waiting(b, id);
      const refused = await b.post(`/sessions/${id}/nodes/nothing/resume`, { action: 'approve' });
      assert.equal(refused.status, 404);
      const [one, two] = await Promise.all([answer(b, id), answer(a, id)]);
      assert.deepEqual([one.status, two.status].sort((x, y) => x - y)[0], 200);
      assert.notEqual(one.status, two.status);
      const again = await b.get(`/sessions/${id}/events?limit=500`);
      gapless(again.json.items);
      assert.equal(applied(again.json.items), 1);
      const self = (await instances(b)).filter((i) => i.self);
      assert.equal(self.length, 1);
      assert.equal(self[0].address, b.url);
    });

    test('alone it rests and asks nothing; who comes finds it alive', { skip: cache !== 'none' }, async () => {
      const one = await serve();
      const id = await one.execute(review);
      await until(() => database.query('SELECT lease_until < updated_at FROM instances') === 't', 40000);
      const copy = spawnSync(sluiceBin(), ['copy', '--from', database.url, '--to', `sqlite:${join(one.scratch, 'never')}`], { encoding: 'utf8' });
      assert.match(copy.stderr, /a server runs/, 'its lease is over, and it runs all the same');
      const asked = async () => (await metric(one, 'sluice_store_reads_total')) + (await metric(one, 'sluice_store_writes_total'));
      const before = await asked();
      const [self] = await instances(one); // one read
      const two = await serve();
      await until(async () => (await metric(two, 'sluice_instances')) === 2 && (await instances(two)).every((i) => i.lease === 'held'));
      assert.equal((await answer(two, id)).status, 200);
      assert.ok((await instances(two)).some((i) => i.id === self.id), 'it was not held for dead');
      gapless(await two.events(id));
      await two.close();
      servers.splice(servers.indexOf(two), 1);
      assert.ok((await asked()) > before + 1, 'with company it looked again');
    });

    test('kill -9 of the owner before it reads: the command is carried out once, by another', async () => {
      const [a, b] = await together(2);
      const id = await a.execute(review);
      await waiting(b, id);
      await a.kill('SIGSTOP'); // it will not read
      const asked = answer(b, id);
      await until(() => database.query(`SELECT count(*) FROM session_commands WHERE session_id = '${id}'`) === '1');
      await a.kill();
      const r = await asked;
      assert.equal(r.status, 200, r.text);
      const events = await b.events(id);
      gapless(events);
      assert.equal(applied(events), 1);
    });

    test('running sessions of a killed instance go on elsewhere, and their viewers miss nothing', async () => {
      const [a, b, c] = await together(3);
      const text = words(60);
      const ids = [];
      for (let i = 0; i < 10; i++) ids.push(await a.execute(talk(text, 10)));
      const readers = ids.map((id, i) => new Reader(i % 2 ? b : c, id, { reconnect: true }));
      for (const r of readers) await r.untilEvent('token_stream');
      await a.kill();
      const at = Date.now();
      for (const r of readers) {
        await r.ended(30000);
        assert.deepEqual(r.problems, []);
        const next = r.events.find((e) => Date.parse(e.timestamp) > at);
        assert.ok(Date.parse(next.timestamp) - at < 6500, `it went on after ${Date.parse(next.timestamp) - at} ms`);
        assert.ok([...r.texts().values()].some((t) => t.includes(text)));
        r.close();
      }
      assert.ok((await metric(b, 'sluice_sessions_adopted_total')) > 0);
      assert.ok((await metric(c, 'sluice_sessions_adopted_total')) > 0);
    });

    test('SIGSTOP past the lease, then SIGCONT: the former owner writes nothing', async () => {
      const [a, b] = await together(2);
      const former = (await instances(a)).find((i) => i.self).id;
      const id = await a.execute(talk(words(40), 20));
      const stored = async (type) => (await b.events(id)).some((e) => e.type === type);
      await until(() => stored('token_stream'));
      await a.kill('SIGSTOP');
      await until(() => stored('stream_reset')); // another attempt, elsewhere
      const others = (await instances(b)).map((i) => i.id);
      await a.kill('SIGCONT');
      await until(async () => (await instances(a)).some((i) => i.self && i.id !== former));
      await until(async () => (await b.get(`/sessions/${id}`)).json.status === 'completed');
      assert.ok((await instances(b)).some((i) => i.self && others.includes(i.id)), 'nobody else was held for dead');
      const events = await b.events(id);
      gapless(events);
      assert.equal(events.filter((e) => e.type === 'session_state_change' && e.data.to === 'completed').length, 1);
      assert.equal(events.filter((e) => e.type === 'stream_reset').length, 1);
      // What the model still sent it was refused, or dropped with the session.
      const fenced = await metric(a, 'sluice_fenced_writes_total');
      assert.match(a.process.stderr(), /held for dead/);
      if (fenced) assert.match(a.process.stderr(), /with epoch 1 was refused/);
      assert.equal(database.query(`SELECT epoch FROM sessions WHERE id = '${id}'`), '2');
    });

    test('SIGTERM: sessions that wait move at once, a running model call may end, then the rest is elsewhere', async () => {
      const [a, b] = await together(2);
      const asks = await a.execute(review);
      const runs = await a.execute(talk(words(20), 20));
      const reader = new Reader(b, runs);
      await reader.untilEvent('token_stream');
      const leaving = a.kill('SIGTERM');
      const begun = Date.now();
      const r = await answer(b, asks);
      assert.equal(r.status, 200, r.text);
      assert.ok(Date.now() - begun < 1500, `answered after ${Date.now() - begun} ms`);
      assert.equal((await leaving).code, 0);
      await reader.ended();
      assert.deepEqual(reader.problems, []);
      assert.equal(reader.find('stream_reset'), undefined); // the call was not cut
      assert.equal((await instances(b)).length, 1);
      reader.close();
    });

    test('SIGTERM with a short --drain cuts the model call, and another makes it anew', async () => {
      const b = await serve();
      const a = await serve('--drain', '100ms');
      await until(async () => (await metric(b, 'sluice_instances')) === 2);
      const id = await a.execute(talk(words(40), 10));
      const reader = new Reader(b, id);
      await reader.untilEvent('token_stream');
      const { code } = await a.kill('SIGTERM');
      const at = Date.now();
      assert.equal(code, 0);
      await reader.untilEvent('stream_reset');
      assert.ok(Date.now() - at < 1500);
      await reader.ended();
      assert.deepEqual(reader.problems, []);
      reader.close();
    });

    test('a forced delete through another instance, and an Idempotency-Key on two', async () => {
      const [a, b] = await together(2);
      const id = await a.execute(review);
      await waiting(b, id);
      const key = { 'idempotency-key': 'once' };
      const first = await answer(b, id, 'reject', key);
      const second = await answer(a, id, 'reject', key);
      assert.equal(first.status, 200, first.text);
      assert.deepEqual(second.json, first.json);
      const other = await a.execute(review);
      await waiting(b, other);
      assert.equal((await b.request('DELETE', `/sessions/${other}`)).status, 409);
      assert.equal((await b.request('DELETE', `/sessions/${other}?force=true`)).status, 204);
      assert.equal((await a.get(`/sessions/${other}`)).status, 404);
    });

    test('two thousand suspended sessions; every instance restarted; all answered from any instance', async () => {
      const count = Number(process.env.SLUICE_TEST_SUSPENDED ?? 2000);
      let all = await together(2);
      const ids = [];
      for (let i = 0; i < count; i += 50)
        ids.push(...(await Promise.all(Array.from({ length: 50 }, (_, k) => all[k % 2].execute(review)))));
      await waiting(all[0], ids[ids.length - 1]);
      for (const s of all) {
        const before = s.port;
        await s.kill(all.indexOf(s) ? 'SIGTERM' : 'SIGKILL');
        await s.start();
        assert.equal(s.port, before);
      }
      await until(async () => (await metric(all[0], 'sluice_instances')) === 2);
      let k = 0;
      const worker = async (server) => {
        while (k < ids.length) {
          const id = ids[k++];
          const r = await answer(server, id);
          assert.equal(r.status, 200, r.text);
        }
      };
      await Promise.all(Array.from({ length: 16 }, (_, n) => worker(all[n % 2])));
      assert.equal(
        database.query(`SELECT count(*) FROM sessions WHERE id IN (${ids.map((i) => `'${i}'`)}) AND status = 'completed'`),
        String(count),
      );
    });

    if (cache === 'redis')
      test('Redis killed: commands still reach the owner, nobody is held for dead by mistake', async () => {
        const [a, b] = await together(2);
        const id = await a.execute(review);
        await waiting(b, id);
        await ctl('redis', 'kill');
        try {
          const r = await answer(b, id);
          assert.equal(r.status, 200, r.text);
          const rows = () => database.query('SELECT count(*) FROM instances WHERE lease_until > extract(epoch FROM now()) * 1000');
          await until(() => rows() === '2');
          const other = await b.execute(talk(words(40), 10));
          const reader = new Reader(b, other);
          await reader.ended(); // four seconds: longer than a lease
          reader.close();
          assert.equal(rows(), '2');
        } finally {
          await ctl('redis', 'start');
        }
        const after = await b.execute(review);
        await waiting(a, after);
        assert.equal((await answer(a, after)).status, 200);
        assert.doesNotMatch(a.process.stderr() + b.process.stderr(), /held for dead|has died/);
      });
  });
}
