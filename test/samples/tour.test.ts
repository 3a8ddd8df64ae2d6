import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isAsShown, readCommands } from './readme.ts';
import { type Job, openTerminal, type Terminal } from './terminal.ts';

const page = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');
const tour = page.slice(page.indexOf('## Five minutes'), page.indexOf('## Write an agent'));
const PATIENCE_MS = 20_000;

/** A reader who looks again while what should be there may still come. */
async function lookUntil(terminal: Terminal, command: string, shown: string): Promise<string> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const output = await terminal.run(command);
    if (isAsShown(shown, output) || Date.now() > deadline) return output;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

test('the five minutes of the README go as it says', { timeout: 120_000 }, async () => {
  await using terminal = await openTerminal();
  let server: Job = await terminal.startServer('npm start');
  for (const { command, output: shown } of readCommands(tour)) {
    if (command.startsWith('pkill -9')) {
      // Only this server: others of the same name may be at work on the machine.
      server.signal('SIGKILL');
      server = await terminal.startServer('npm start');
      continue;
    }
    const looksOnly = !/ -d | -X |text\/event-stream/.test(command);
    const output =
      looksOnly && shown !== undefined ? await lookUntil(terminal, command, shown) : await terminal.run(command);
    if (shown !== undefined && !isAsShown(shown, output)) expect(`${command}\n${output}`).toBe(`${command}\n${shown}`);
  }
});
