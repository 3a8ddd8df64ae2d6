/**
 * Every sample as a newcomer meets it: the commands of its README, typed one after the other, print what the page
 * shows. What a page cannot show is asked of the server on top.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isAsShown, readReadme } from './readme.ts';
import { openTerminal } from './terminal.ts';

const folder = join(import.meta.dirname, '../../samples');
const samples = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);
/** Lines of a README; what is longer is not read before it is tried. */
const ONE_SCREEN = 70;

test('the samples are listed, each with a link', () => {
  const index = readFileSync(join(folder, 'README.md'), 'utf8');
  expect([...index.matchAll(/^\| \[[^\]]+\]\(([^)]+)\)/gm)].map(([, name]) => name).sort()).toEqual(samples.sort());
});

describe.each(samples)('%s', (name) => {
  const readme = readReadme(join(folder, name, 'README.md'));

  test('is explained on one screen', () => {
    expect(readme.commands.length).toBeGreaterThan(0);
    expect(readme.lineCount).toBeLessThan(ONE_SCREEN);
  });

  test('does what its README shows', { timeout: 60_000 }, async () => {
    await using terminal = await openTerminal();
    const server = await terminal.startServer(readme.start);
    for (const { command, output: shown } of readme.commands) {
      const actual = await terminal.run(command);
      if (shown !== undefined && !isAsShown(shown, actual)) {
        expect(actual, `${command}\nThe server said:\n${server.output()}`).toBe(shown);
      }
    }
  });
});
