import { describe, expect, test } from 'vitest';
import { openTerminal, printed } from './terminal.ts';

const CLIENT = 'npm run -s sample samples/board-review/client.ts';

describe('the client of the board review', { timeout: 60_000 }, () => {
  test('prints every event once, although the server is killed under it and started again', async () => {
    await using terminal = await openTerminal();
    const killed = await terminal.startServer('npm start');
    const client = terminal.start(`${CLIENT} review mine`);
    await printed(client, /── round-1\//);
    killed.signal('SIGKILL');
    await printed(client, /connection lost after event \d+/);
    await terminal.startServer('npm start');
    await client.ended;

    const undisturbed = await terminal.run(`${CLIENT} follow mine`);
    const whatItPrinted = client
      .output()
      .replace('Review mine is queued.\n', '')
      .replaceAll(/^\(connection lost .*\n/gm, '');
    expect(whatItPrinted).toBe(undisturbed);
    expect(undisturbed).toContain('The review is completed.');
  });

  test('starts a review without waiting for it, and cancels one', async () => {
    await using terminal = await openTerminal();
    await terminal.startServer('npm start');
    expect(await terminal.run(`${CLIENT} start mine`)).toBe('Review mine is queued.\n');
    const body = '{"agent_ids":["ceo"],"config":{"rounds":10},"task":{},"background":true}';
    await terminal.run(`curl -s http://localhost:8088/invocations -H 'x-agent-invocation-id: long' -d '${body}'`);
    expect(await terminal.run(`${CLIENT} cancel long`)).toBe('Review long is cancelled.\n');
    expect(await terminal.run(`${CLIENT} follow long`)).toMatch(/The review was cancelled: the board has gone home\n$/);
  });

  test('says in a sentence what is wrong', async () => {
    await using terminal = await openTerminal();
    expect(await terminal.run(`${CLIENT} dance`)).toBe(
      '"dance" is none of: review, start [id], follow <id>, cancel <id>\n',
    );
    expect(await terminal.run(CLIENT)).toMatch(/^nobody answers at .*: start the container with npm start\n$/);
    await terminal.startServer('npm start');
    expect(await terminal.run(`${CLIENT} follow nobody`)).toMatch(/there is no invocation .*nobody/);
  });
});
