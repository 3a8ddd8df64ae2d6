import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isAsShown, readCommands } from './readme.ts';
import { openTerminal } from './terminal.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/a2a.md'), 'utf8');

test('the page about agents among themselves shows what happens', { timeout: 120_000 }, async () => {
  await using terminal = await openTerminal();
  await terminal.startServer('npm start');
  const commands = readCommands(page);
  expect(commands.length).toBeGreaterThan(3);
  for (const { command, output: shown } of commands) {
    const output = await terminal.run(command);
    if (shown === undefined || !isAsShown(shown, output)) expect(`${command}\n${output}`).toBe(`${command}\n${shown}`);
  }
});
