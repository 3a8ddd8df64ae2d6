/**
 * The host's edge to the process it runs in: environment, standard error, signals, exit. The only file of the library
 * that touches `process`, so that everything else can be run twice in one process, or with an environment made up.
 */
import { writeSync } from 'node:fs';

export const hostProcess = {
  environment: (): Readonly<Record<string, string | undefined>> => process.env,
  nodeVersion: (): string => process.versions.node,

  /** Whether a person is likely to read standard error as it is written. */
  errorIsTerminal: (): boolean => process.stderr.isTTY === true,

  /** Writes to standard error before it returns. Lines nobody reads any more (a closed pipe) are dropped. */
  writeError(text: string): void {
    let rest: Uint8Array = Buffer.from(text);
    while (rest.length > 0) {
      try {
        rest = rest.subarray(writeSync(2, rest));
      } catch (error) {
        // EAGAIN: the pipe is full and its reader slow; nothing else may be written meanwhile.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      }
    }
  },

  /** Milliseconds of processor time this thread has used: time in which others had the processor does not count. */
  workedMs(): number {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  },

  /** Calls `run` when the process is about to exit, however it exits short of a kill. */
  onExit(run: () => void): void {
    process.on('exit', run);
  },

  /**
   * Calls `run` with the name of each termination signal.
   * @returns a function that gives the signals back
   */
  onTermination(run: (signal: string) => void): () => void {
    const signals: NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGBREAK'];
    for (const signal of signals) process.on(signal, run);
    return () => {
      for (const signal of signals) process.off(signal, run);
    };
  },

  exit(code: number): void {
    process.exit(code);
  },
};
