// SIGTERM while the store still owes an answer that has to do with the listener. PostgreSQL only: a lock on a table
// makes an answer as late as the test wants it.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { Server } from './lib/server.mjs';
import { Database, redisUrl, storeKind } from './lib/services.mjs';
import { until } from './lib/until.mjs';

const skip = storeKind() === 'postgres' ? false : 'the embedded store cannot be held up from outside';
const redis = (...args) => execFileSync('redis-cli', ['-u', redisUrl(), '--no-auth-warning', ...args], { encoding: 'utf8' }).trim();

/** Nobody reads or writes the table until release(). */
async function lock(database, table) {
  const child = spawn('psql', ['-XqAt', '-v', 'ON_ERROR_STOP=1', database.url], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.write(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE; SELECT 'held';\n`);
  await once(child.stdout, 'data');
  return { release: () => { child.stdin.end('ROLLBACK;\n'); return once(child, 'exit'); } };
}
const waiters = (database, table) =>
  Number(database.query(`SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '${table}'::regclass`));
const reading = (database, table) =>
  Number(database.query(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active' AND query LIKE '%FROM ${table} AS%'`));
const listens = (server) => server.get('/health').then(() => true, () => false);

test('keys are read while it ends: the answer finds no listener, and that is all', { skip }, async () => {
  const database = new Database();
  const server = await new Server({ database }).start();
  const keys = await lock(database, 'api_keys'), instances = await lock(database, 'instances');
  // As another instance says it that has made a key.
  for (const channel of redis('pubsub', 'channels', '*keys').split('\n')) redis('publish', channel, 'x');
  await until(() => waiters(database, 'api_keys') > 0);
  const ended = server.kill('SIGTERM'); // its own row is locked, so it gets as far as that
  await until(async () => !(await listens(server)));
  await until(() => waiters(database, 'instances') > 0);
  await keys.release();
  await until(() => reading(database, 'api_keys') === 0); // the answer was sent, before the one that lets it end
  await instances.release();
  const { code, signal } = await ended;
  assert.equal(signal ?? code, 0, server.log);
  await server.close();
  database.drop();
});

test('it is told to end before it has said that it listens', { skip }, async () => {
  const database = new Database();
  await (await new Server({ database }).start()).close(); // makes the tables
  const timers = await lock(database, 'timers');
  const server = new Server({ database });
  const started = server.start().then(() => 'listening', () => 'ended');
  await until(() => waiters(database, 'timers') > 0); // recovery looks for what is due
  const instances = await lock(database, 'instances');
  const ended = server.kill('SIGTERM');
  await until(() => waiters(database, 'instances') > 0); // its listener, which nobody has come to, is closed
  await timers.release();
  await until(() => reading(database, 'timers') === 0);
  await instances.release();
  const { code, signal } = await ended;
  assert.equal(signal ?? code, 0, server.log);
  assert.equal(await started, 'ended');
  await server.close();
  database.drop();
});
