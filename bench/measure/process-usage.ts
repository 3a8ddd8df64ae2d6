/**
 * What the kernel says a process has used. CPU time is the trusted figure of every benchmark here: on a shared machine
 * requests per second follow the neighbours, the CPU spent per request hardly does.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).trim());

/** User and system CPU time of all threads of the process so far, in microseconds (resolution: one tick, mostly 10 ms). */
export function cpuMicros(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the command name in parentheses and may hold blanks: count from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1e6;
}

/** Resident set of one process in KiB. */
export function rssKib(pid: number): number {
  return statusKib(`/proc/${pid}/status`, 'VmRSS');
}

/** Proportional set in KiB: shared pages are divided among those who share them, so a sum over processes is honest. */
export function pssKib(pid: number): number {
  return statusKib(`/proc/${pid}/smaps_rollup`, 'Pss');
}

function statusKib(path: string, field: string): number {
  const line = readFileSync(path, 'utf8')
    .split('\n')
    .find((candidate) => candidate.startsWith(`${field}:`));
  return Number(line?.match(/(\d+) kB/)?.[1] ?? Number.NaN);
}

/** All living descendants of a process, the nearest first. */
export function descendants(pid: number): number[] {
  const parentOf = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      parentOf.set(Number(entry), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // The process ended while we were looking.
    }
  }
  const found: number[] = [];
  for (let generation = [pid]; generation.length > 0; ) {
    generation = [...parentOf].filter(([, parent]) => generation.includes(parent)).map(([child]) => child);
    found.push(...generation);
  }
  return found;
}
