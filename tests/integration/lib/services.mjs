// The PostgreSQL and the Redis of script/with-services: databases of one's own, and ways to hurt them.
import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

const run = promisify(execFile);

function wanted(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run this inside script/with-services`);
  return value;
}

// Which store the servers of this run have, where a test does not say.
export const storeKind = () => process.env.SLUICE_TEST_STORE || 'sqlite';

// One statement per call; its rows as lines, columns split by |.
export const psql = (url, sql) =>
  execFileSync('psql', ['-XqAt', '-v', 'ON_ERROR_STOP=1', '-c', sql, url], { encoding: 'utf8' }).trim();

export class Database {
  // Where SLUICE_TEST_TEMPLATE names a database in which the migrations have run, a copy of that; empty: with nothing in it.
  constructor({ empty = false } = {}) {
    this.admin = wanted('SLUICE_TEST_POSTGRES');
    this.name = `sluice_${randomBytes(6).toString('hex')}`;
    const template = empty ? '' : process.env.SLUICE_TEST_TEMPLATE;
    psql(this.admin, `CREATE DATABASE ${this.name}${template ? ` TEMPLATE ${template}` : ''}`);
    const url = new URL(this.admin);
    url.pathname = `/${this.name}`;
    this.url = url.href;
  }
  query(sql) { return psql(this.url, sql); }
  drop() { psql(this.admin, `DROP DATABASE ${this.name} WITH (FORCE)`); }
}

export const redisUrl = () => wanted('SLUICE_TEST_REDIS');
// ctl('postgres', 'restart', 'immediate'); see script/with-services.
export const ctl = (service, ...args) => run(wanted(`SLUICE_TEST_${service.toUpperCase()}_CTL`), args);
