/**
 * How fast texts are screened for personal data: labelled lines one by one, running text, and the worst that anybody could
 * think of, 100 KB of each. And how long a stream is held back.
 */
import { readFileSync } from 'node:fs';
import { systemClock } from '../../src/core/clock.ts';
import { loadValidators } from '../../src/governance/screening/detector/validators.ts';
import { createRules } from '../../src/governance/screening/detector.ts';
import { defaultPolicy } from '../../src/governance/screening/policy.ts';
import { createTextScreen } from '../../src/governance/screening/text-screen.ts';
import { figure, table } from '../measure/table.ts';
import type { Effort, SectionResult } from '../section.ts';

const adverse = [
  ...[
    '1',
    '1-',
    '1 ',
    '(1',
    '1.',
    '1.1',
    '1/1/1/',
    '1:',
    '@',
    'a@',
    'a@a.',
    'a.a.a.',
    'Aa-Aa-',
    'Aa ',
    'Mr ',
    'Dr. Dr. ',
    '"',
    '\'"',
    '="',
    '="a',
  ],
  ...[
    'password=',
    'is ',
    '::',
    '::1 ',
    'f:',
    '+',
    '+1 ',
    '(',
    '-----',
    '-----BEGIN PRIVATE KEY-----',
    'eyJ',
    'eyJhbGciOiJIUzI1NiJ9.',
    'sk-',
    'a://',
    'http://a:a',
  ],
  ...[
    '4111 1111 1111 1111 ',
    '123-45-6789 ',
    '+1 415 555 2671 ',
    'tel 5551234567 ',
    'DE89 3704 0044 0532 0130 00 ',
    '12 Main ',
    '12 Aa Aa Aa Aa ',
  ],
  ...[
    '12 rue de la ',
    'Via Roma ',
    'born 1/1/',
    'passport A1',
    'P<A',
    '12345678Z ',
    'AB 12 34 56 C',
    'secret aB3dE5gH7jK9mN1p ',
    'api_key=aB3dE5gH',
  ],
  ...[
    '\u200b',
    '\u200b1',
    '１-',
    '😀',
    '{"a":"',
    "O'A",
    'van ',
    '1a',
    'A1B2C3',
    'nhs 943 476 5919 ',
    '10.0.0.1 ',
    'fe80::1 ',
  ],
  // The worst of some forty thousand made of words that stand before values, beginnings of values and signs between.
  ...[
    'id card=+5551234567;',
    'id card=55512345678;',
    'id card=+555123408;id card=211111111;id card=255123-5551;',
    'national id=+5551234567;',
    'id=12345-1234567-1;',
    'Jan: ',
    'Tom\n',
    'A=Al-Aa;',
    'e=Al-Aa;',
    'A=AA=AA=AA=AA=Ala;A=年=Al-Al;G',
    'A=AB-12;',
    'Al-Aa: ',
    '年',
    '😀1',
  ],
].map((unit) => ({ unit, text: unit.repeat(Math.ceil(100_000 / unit.length)).slice(0, 100_000) }));

export async function benchScreening(effort: Effort): Promise<SectionResult> {
  const began = systemClock.monotonic();
  const rules = createRules(await loadValidators(), []);
  const loadMs = systemClock.monotonic() - began;
  const screened = (text: string): number => {
    // Processor time: what others do on the machine at the same time is not the detector's.
    const start = process.cpuUsage();
    createTextScreen(rules, defaultPolicy).finish(text);
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  };
  const lines = readFileSync(new URL('../../test/governance/screening/corpus.jsonl', import.meta.url), 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { text: string }).text);
  const prose = readFileSync(new URL('../../docs/architecture.md', import.meta.url), 'utf8');
  const loads = [
    { load: 'labelled lines, one by one', texts: lines },
    { load: 'running text', texts: [prose] },
  ];
  const speeds = loads.map(({ load, texts }) => {
    const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    const round = (): number => {
      const start = process.cpuUsage();
      for (const text of texts) createTextScreen(rules, defaultPolicy).finish(text);
      const { user, system } = process.cpuUsage(start);
      return (user + system) / 1000;
    };
    for (let warming = 0; warming < 20; warming++) round();
    let times = 0;
    let ms = 0;
    for (; ms < effort.windowMs; times++) ms += round();
    return { load, mbPerSecond: (bytes * times) / 1e6 / (ms / 1000) };
  });
  const worst = adverse
    .map(({ unit, text }) => {
      screened(text.slice(0, 2000));
      return { unit, ms: Math.min(...Array.from({ length: effort.rounds }, () => screened(text))) };
    })
    .sort((one, other) => other.ms - one.ms);
  const held = heldBack(prose);
  return {
    data: { loadMs, speeds, worst, held },
    aims: [
      ...speeds.map(({ load, mbPerSecond }) => ({
        what: `MB/s screened, ${load}`,
        measured: mbPerSecond,
        is: 'at least' as const,
        aim: 1,
      })),
      { what: 'ms to screen 100 KB, the worst text', measured: worst[0]?.ms ?? Number.NaN, is: 'at most', aim: 100 },
    ],
    text: table(
      `Screening for personal data (libraries loaded in ${figure(loadMs)} ms; a stream of running text is held back ${figure(held.mean)} characters, at most ${held.most})`,
      ['what', 'figure'],
      [
        ...speeds.map(({ load, mbPerSecond }) => [load, `${figure(mbPerSecond)} MB/s`]),
        ...worst.slice(0, 12).map(({ unit, ms }) => [`100 KB of ${JSON.stringify(unit)}`, `${figure(ms)} ms`]),
      ],
    ),
  };

  function heldBack(text: string): { mean: number; most: number } {
    const screen = createTextScreen(rules, defaultPolicy);
    let gone = 0;
    let sum = 0;
    let most = 0;
    for (let at = 0; at < text.length; at++) {
      gone += screen.push(text.charAt(at)).length;
      const held = at + 1 - gone;
      sum += held;
      most = Math.max(most, held);
    }
    return { mean: sum / text.length, most };
  }
}
