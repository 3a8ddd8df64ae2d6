import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findZone, type Zone } from '../../src/core/zone.ts';

function zone(name: string): Zone {
  const found = findZone(name);
  if (found === undefined) throw new Error(`no zone ${name}`);
  return found;
}

const utc = (text: string) => Date.parse(`${text}Z`);
const iso = (time: number) => new Date(time).toISOString().slice(0, 19);

describe('a local time', () => {
  it.each([
    ['Europe/Berlin', '2026-03-29T01:59:59', '2026-03-29T00:59:59', 'just before the clock is put forward'],
    ['Europe/Berlin', '2026-03-29T02:00:00', '2026-03-29T01:00:00', 'the first that is skipped'],
    ['Europe/Berlin', '2026-03-29T02:30:00', '2026-03-29T01:00:00', 'skipped'],
    ['Europe/Berlin', '2026-03-29T03:00:00', '2026-03-29T01:00:00', 'the first afterwards'],
    ['Europe/Berlin', '2026-10-25T02:30:00', '2026-10-25T00:30:00', 'repeated'],
    ['Europe/Berlin', '2026-10-25T03:00:00', '2026-10-25T02:00:00', 'after the repetition'],
    ['America/New_York', '2026-03-08T02:30:00', '2026-03-08T07:00:00', 'skipped'],
    ['America/New_York', '2026-11-01T01:30:00', '2026-11-01T05:30:00', 'repeated'],
    ['Australia/Lord_Howe', '2026-10-04T02:15:00', '2026-10-03T15:30:00', 'skipped, by half an hour'],
    ['Australia/Lord_Howe', '2026-10-04T02:30:00', '2026-10-03T15:30:00', 'the first afterwards'],
    ['Australia/Lord_Howe', '2026-04-05T01:45:00', '2026-04-04T14:45:00', 'repeated, by half an hour'],
    ['Pacific/Apia', '2011-12-30T12:00:00', '2011-12-30T10:00:00', 'on a day that was skipped'],
    ['Asia/Kolkata', '2026-06-01T00:00:00', '2026-05-31T18:30:00', 'where clocks never change'],
    ['UTC', '2026-06-01T00:00:00', '2026-06-01T00:00:00', 'in UTC'],
  ])('in %s, %s is %s: %s', (name, local, expected) => {
    expect(iso(zone(name).instantOf(utc(local)))).toBe(expected);
  });

  it('that begins at an instant is that of the zone at every instant', () => {
    const names = fc.constantFrom('Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Africa/Casablanca');
    fc.assert(
      fc.property(names, fc.integer({ min: 0, max: utc('2100-01-01T00:00:00') }), (name, instant) => {
        const parts = new Intl.DateTimeFormat('sv-SE', { timeZone: name, dateStyle: 'short', timeStyle: 'medium' });
        expect(iso(zone(name).localAt(instant))).toBe(parts.format(instant).replace(' ', 'T'));
        expect(zone(name).instantOf(zone(name).nextLocal(instant))).toBeGreaterThan(instant);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a zone', () => {
  it.each(['Mars/Olympus', '', '+02:00', 'Europe', 'a b'])('named %j is not found', (name) => {
    expect(findZone(name)).toBeUndefined();
  });

  it('is the same in any case', () => {
    expect(findZone('europe/berlin')).toBe(findZone('Europe/Berlin'));
  });
});
