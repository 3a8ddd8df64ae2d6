import { describe, expect, it, test } from 'vitest';
import type { ChatMessage } from '../../../src/agents/brief.ts';
import { simulatedReply } from '../../../src/agents/simulated/chat.ts';
import { testAgent } from '../../support/agents.ts';

const agent = testAgent('cfo', { config: { title: 'Chief Financial Officer' } });

/** The reply to the last of these messages, the others being answered before. */
function reply(...said: string[]): string {
  const messages: ChatMessage[] = [];
  let last = '';
  for (const content of said) {
    messages.push({ role: 'user', content });
    last = simulatedReply({ kind: 'chat', agent, messages, today: '2026-02-01' });
    messages.push({ role: 'assistant', content: last });
  }
  return last;
}

describe('the simulated model in a conversation', () => {
  test.each<[string[], string]>([
    [['My name is Ada.', 'What is my name?'], 'Your name is Ada.'],
    [['my name is ada', 'Do you remember my name?'], 'Your name is ada.'],
    [["I'm Ada Lovelace, hello", 'Who am I?'], 'Your name is Ada Lovelace.'],
    [["I'm tired", 'Who am I?'], 'You have not told me your name in this conversation.'],
    [['Our budget is $20k.', 'What is our budget?'], 'You told me that your budget is $20k.'],
    [
      ['Our budget is $20k.', 'Sorry, our budget is $30k.', 'What is our budget?'],
      'You told me that your budget is $30k.',
    ],
    [
      ['Our budget is $20k.', 'What is my favourite colour?'],
      'You have not told me your favourite colour in this conversation. I know your budget.',
    ],
    [['The launch is on Monday.', 'What did I tell you?'], 'You told me: “The launch is on Monday”.'],
    [['Remember the code word banana.', 'What is the code word?'], 'You told me: “Remember the code word banana”.'],
    [['Remember the code word banana.'], 'Noted: “Remember the code word banana”.'],
    [['What did I tell you?'], 'You have not told me anything in this conversation yet.'],
    [['We sell tea.', 'What did I say about coffee?'], 'You have told me nothing about coffee in this conversation.'],
    [['What is 12 * 30?'], '12 * 30 is 360.'],
    [['1/0='], 'Division by zero has no result.'],
    [['Hi!'], 'Hello. I answer for the Chief Financial Officer (simulated model). Tell me the matter and its figures.'],
  ])('%j → %s', (said, expected) => {
    expect(reply(...said)).toBe(expected);
  });

  it('repeats in order what it was told', () => {
    expect(reply('Hello', 'We sell tea.', 'The launch is on Monday.', 'What did I tell you so far?')).toBe(
      'You told me, in this order:\n1. “We sell tea”\n2. “The launch is on Monday”',
    );
  });

  it('says what it is when asked', () => {
    for (const question of ['Who are you?', 'Which model is this?', 'Are you a real human?']) {
      expect(reply(question)).toContain('I am the simulated model: no language model is configured here');
    }
  });

  it('computes with the figures of the whole conversation', () => {
    const text = reply('Our revenue was 4.2M.', 'Our costs were 3.1M. What should we do in Q2-2026?');
    expect(text).toContain('revenue 4.2 M less costs 3.1 M leaves 1.1 M, a margin of 26.2 %');
    expect(text).toContain('Q2-2026 runs 2026-04-01 to 2026-06-30');
    expect(text).toContain('Simulated');
  });

  it('asks for figures when there are none', () => {
    expect(reply('Should we expand?')).toContain(
      'There are no figures in this conversation to compute with; give me for example cash',
    );
  });
});
