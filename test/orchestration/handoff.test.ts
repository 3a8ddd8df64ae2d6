import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { handoverIn } from '../../src/orchestration/handoff.ts';
import { chorus, dieEverywhere, refused, requestOf, runToEnd } from '../support/orchestration.ts';

const DELEGATES = { cfo: ['ceo'], ceo: ['cmo', 'cfo'] };
const body = (config = {}) => requestOf('handoff', { config: { delegates: DELEGATES, ...config } });
/** Each agent's words, in the order of its turns. */
const saying = (words: Record<string, readonly (string | Error)[]>) =>
  chorus(({ agent }, nth) => words[agent.agent_id]?.[nth] ?? undefined);

describe('a handoff', () => {
  it('goes from agent to agent until one answers', async () => {
    const model = saying({
      cfo: ['Not money.\nHANDOFF: ceo it is about direction'],
      ceo: ['**HANDOFF: cmo** brand'],
      cmo: ['Sell.'],
    });
    const { result, memoryRun } = await runToEnd(model, body());
    expect(memoryRun.stepOrder).toEqual(['hold-1/cfo', 'hold-2/ceo', 'hold-3/cmo']);
    expect(memoryRun.events.filter(({ type }) => type === 'agent.handed_off').map(({ data }) => data)).toEqual([
      { in_turn: 'hold-1/cfo', from: 'cfo', to: 'ceo', reason: 'it is about direction' },
      { in_turn: 'hold-2/ceo', from: 'ceo', to: 'cmo', reason: 'brand' },
    ]);
    expect(result).toMatchObject({ summary: 'Sell.', answered_by: 'cmo', turns: 3 });
    expect(result['handoffs']).toEqual([
      { from: 'cfo', to: 'ceo', reason: 'it is about direction' },
      { from: 'ceo', to: 'cmo', reason: 'brand' },
    ]);
    const last = model.asked.at(-1)?.brief;
    expect(last).toMatchObject({ delegates: [], received: { reason: 'brand' }, earlier: [{ text: 'Not money.' }, {}] });
  });

  it('asks again, once, when an agent names somebody it may not', async () => {
    const model = saying({ cfo: ['HANDOFF: cmo sell it', 'HANDOFF: CEO then you'], ceo: ['Fine.'] });
    const { result, memoryRun } = await runToEnd(model, body());
    expect(memoryRun.stepOrder).toEqual(['hold-1/cfo', 'hold-1/cfo/again', 'hold-2/ceo']);
    expect(model.asked[1]?.prompt.messages[0]?.content).toContain('"cmo", which you may not. Only to: ceo.');
    expect(result).toMatchObject({ summary: 'Fine.', results: { cfo: { turns: 2 } } });
  });

  it('fails clearly when it does so twice', async () => {
    const model = saying({ cfo: ['HANDOFF: cmo sell it', 'HANDOFF: nobody please'] });
    await expect(runToEnd(model, body())).rejects.toMatchObject({
      code: 'handoff_refused',
      message: expect.stringContaining('cfo wants to hand over to "nobody", which it may not (its delegates: ceo)'),
    });
  });

  it('may go to everybody when nothing is said about delegates, and begin with another', async () => {
    const model = saying({ cmo: ['HANDOFF: cfo money'], cfo: ['Pay.'] });
    const { result } = await runToEnd(model, requestOf('handoff', { config: { start: 'cmo' } }));
    expect(result).toMatchObject({ answered_by: 'cfo', handoffs: [{ from: 'cmo', to: 'cfo' }] });
  });

  it('pauses when two agents hand it back and forth', async () => {
    const model = chorus(
      ({ agent }, nth) => `round ${nth}\nHANDOFF: ${agent.agent_id === 'cfo' ? 'ceo' : 'cfo'} yours`,
    );
    const stopped = runToEnd(model, body({ max_turns: 50 }));
    await expect(stopped).rejects.toThrow('the run waits: limit/1');
  });

  it('stands by what was said when the next one fails and that is the policy', async () => {
    const words = { cfo: ['As far as I can see: wait.\nHANDOFF: ceo decide'], ceo: [refused()] };
    await expect(runToEnd(saying(words), body())).rejects.toMatchObject({ code: 'model_failed' });
    const { result } = await runToEnd(saying(words), body({ continue_on_error: true }));
    expect(result).toMatchObject({ summary: 'As far as I can see: wait.', answered_by: 'cfo' });
  });

  it.each([
    [{ delegates: [] }, '"config.delegates" must be an object of lists of agent ids, got []'],
    [{ delegates: { cto: ['cfo'] } }, '"config.delegates" must be from agents of the run (cfo, ceo, cmo), got "cto"'],
    [
      { delegates: { cfo: ['cto'] } },
      '"config.delegates.cfo" must be other agents of the run (cfo, ceo, cmo), got "cto"',
    ],
    [{ delegates: { cfo: 'ceo' } }, '"config.delegates.cfo" must be a list of agent ids, got "ceo"'],
    [{ start: 'cto' }, '"config.start" must be one of cfo, ceo, cmo, got "cto"'],
  ])('is refused with %o', async (config, message) => {
    await expect(runToEnd(chorus(), body(config))).rejects.toMatchObject({ code: 'invalid_request', message });
  });

  it('comes to the same result wherever the process dies', async () => {
    // By the brief, not by how often it is asked: a process that died asks again.
    const model = () =>
      chorus((brief) =>
        brief.kind === 'delegation' && brief.agent.agent_id === 'cfo' ? 'HANDOFF: ceo decide' : 'Fine.',
      );
    expect(await dieEverywhere(model, body())).toBeGreaterThan(8);
  });
});

test.each([
  ['HANDOFF: cfo the figures', 'cfo', 'the figures'],
  ['  - **HANDOFF:** `cfo` — the figures  ', 'cfo', 'the figures'],
  ['handoff: cfo: the figures', 'cfo', 'the figures'],
  ['HANDOFF: cfo', 'cfo', 'no reason given'],
  ['HANDOFF: ceo no\nHANDOFF: cfo yes', 'cfo', 'yes'],
])('%j hands over to %s', (text, to, reason) => {
  expect(handoverIn(text)).toEqual({ to, reason });
});

test.each(['I would HANDOFF: cfo', 'HANDOFF:', 'No handoff needed.', ''])('%j hands over to nobody', (text) => {
  expect(handoverIn(text)).toBeUndefined();
});

test('whatever is written is read without harm', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (before, after) => {
      const found = handoverIn(`${before}\nHANDOFF: cfo ${after.replace(/[\n\r\u2028\u2029]/g, ' ')}\n`);
      expect(found?.to).toMatch(/^cfo/);
    }),
  );
});
