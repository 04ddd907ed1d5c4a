// For tests that say how long something may take: what this process has worked, which on a busy machine is much less
// than what a clock shows. Each file of tests is a process of its own.

import { cpuUsage } from "node:process";

/** Milliseconds of CPU until now, this process's own and the kernel's for it. */
export function cpuMs(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1000;
}
