// The page that is shared with the library in the server (probe.c): what it has counted, work that is
// owed to it, and marks from which it counts anew.
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';

const counted = ['allocations', 'file_writes', 'file_bytes', 'flushes', 'turns'];
const owed = ['instructions', 'calls', 'takes', 'heap_bytes', 'written_bytes', 'flushed'];
const marks = ['mark', 'marked'];
const place = Object.fromEntries([...counted, ...owed, ...marks].map((name, i) => [name, 8 * i]));

export class Probe {
  constructor(path) {
    this.path = path;
    this.fd = openSync(path, 'w+');
    ftruncateSync(this.fd, 4096);
    this.number = 0;
    this.rest = {};
  }

  get(name) {
    const b = Buffer.alloc(8);
    readSync(this.fd, b, 0, 8, place[name]);
    return Number(b.readBigUInt64LE());
  }

  set(name, value) {
    const b = Buffer.alloc(8);
    b.writeBigUInt64LE(BigInt(value));
    writeSync(this.fd, b, 0, 8, place[name]);
  }

  counts() { return Object.fromEntries(counted.map((name) => [name, this.get(name)])); }

  /** Work for the server's next turn; what is less than one is kept until it is. */
  owe(work) {
    for (const [name, much] of Object.entries(work)) {
      const all = (this.rest[name] ?? 0) + much;
      this.rest[name] = all - Math.floor(all);
      if (all >= 1) this.set(name, this.get(name) + Math.floor(all));
    }
  }

  /** Counts begin anew when the loop wakes next, before anything else is done. */
  mark() { this.set('mark', ++this.number); }

  get isMarked() { return this.get('marked') === this.number; }

  close() { closeSync(this.fd); }
}
