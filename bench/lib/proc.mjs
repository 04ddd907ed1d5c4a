// What /proc says about processes: CPU, memory, wake-ups.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const TICK_MS = 1000 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

const stat = (pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');

/** Milliseconds of CPU that these have used, with those of their children that have ended. */
export function cpuMs(...pids) {
  let ticks = 0;
  for (const pid of pids.flat()) {
    try {
      const f = stat(pid);
      ticks += Number(f[11]) + Number(f[12]) + Number(f[13]) + Number(f[14]);
    } catch (err) {
      if (err.code !== 'ENOENT' && err.code !== 'ESRCH') throw err; // it has ended since it was listed; its parent counts it
    }
  }
  return ticks * TICK_MS;
}

export const childrenOf = (pid) =>
  readdirSync('/proc').filter((p) => /^\d+$/.test(p)).filter((p) => {
    try { return stat(p)[1] === String(pid); } catch { return false; } // ended meanwhile
  }).map(Number);

const field = (pid, name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

/** Resident bytes. */
export const residentBytes = (pid) => field(pid, 'VmRSS') * 1024;

/** How often the threads of a process went to sleep so far: each is a wake-up later. */
export const wakeups = (pid) =>
  readdirSync(`/proc/${pid}/task`).reduce((n, t) =>
    n + Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/task/${t}/status`, 'utf8'))[1]), 0);

/** Milliseconds in which the cores of this machine did anything, for whomever; guests' and stolen time too. */
export function machineMs() {
  const f = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0].split(/\s+/).slice(1).map(Number);
  return (f.slice(0, 8).reduce((a, b) => a + b, 0) - f[3] - f[4]) * TICK_MS; // all but idle and waiting for a disk
}
