import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CronFault, nextMatch, parseCron } from '../../src/scheduling/cron.ts';

const iso = (local: number | undefined) => (local === undefined ? 'never' : new Date(local).toISOString());
const next = (expression: string, from: string) => iso(nextMatch(parseCron(expression), Date.parse(`${from}Z`)));

describe('an expression', () => {
  it.each([
    ['* * * * *', '2026-01-01T00:00:30', '2026-01-01T00:01:00.000Z'],
    ['* * * * *', '2026-01-01T00:00:00', '2026-01-01T00:00:00.000Z'],
    ['*/10 * * * * *', '2026-01-01T00:00:01', '2026-01-01T00:00:10.000Z'],
    ['30 15 9 * * *', '2026-01-01T00:00:00', '2026-01-01T09:15:30.000Z'],
    ['0 9 * * mon-fri', '2026-01-02T10:00:00', '2026-01-05T09:00:00.000Z'],
    ['0 9 * * MON-FRI', '2026-01-02T10:00:00', '2026-01-05T09:00:00.000Z'],
    ['0 0 * * 7', '2026-01-01T00:00:00', '2026-01-04T00:00:00.000Z'],
    ['0 0 * * 0', '2026-01-01T00:00:00', '2026-01-04T00:00:00.000Z'],
    ['0 0 * * sunday', '2026-01-01T00:00:00', '2026-01-04T00:00:00.000Z'],
    ['0 0 * * monday', '2026-01-01T00:00:00', '2026-01-05T00:00:00.000Z'],
    ['0 0 * * sat-sun', '2026-01-04T00:00:01', '2026-01-10T00:00:00.000Z'],
    ['0 0 * * 5-7', '2026-01-03T12:00:00', '2026-01-04T00:00:00.000Z'],
    ['5/15 * * * *', '2026-01-01T00:06:00', '2026-01-01T00:20:00.000Z'],
    ['10-30/10 * * * *', '2026-01-01T00:31:00', '2026-01-01T01:10:00.000Z'],
    ['0 0 1,15 feb,aug *', '2026-01-01T00:00:00', '2026-02-01T00:00:00.000Z'],
    ['0 0 1 december *', '2026-01-01T00:00:00', '2026-12-01T00:00:00.000Z'],
    // Month ends and leap days.
    ['0 0 31 * *', '2026-02-01T00:00:00', '2026-03-31T00:00:00.000Z'],
    ['0 0 31 4,6,9,11,12 *', '2026-01-01T00:00:00', '2026-12-31T00:00:00.000Z'],
    ['0 0 29 2 *', '2026-01-01T00:00:00', '2028-02-29T00:00:00.000Z'],
    ['0 0 29 2 *', '2096-03-01T00:00:00', '2104-02-29T00:00:00.000Z'],
    ['59 23 31 12 *', '2026-12-31T23:59:01', '2027-12-31T23:59:00.000Z'],
    // Day-of-month or weekday, when both are restricted.
    ['0 0 13 * fri', '2026-01-10T00:00:00', '2026-01-13T00:00:00.000Z'],
    ['0 0 13 * fri', '2026-01-14T00:00:00', '2026-01-16T00:00:00.000Z'],
    ['0 0 */2 * mon', '2026-01-04T00:00:00', '2026-01-05T00:00:00.000Z'],
    ['0 0 1-31 * mon', '2026-01-06T00:00:00', '2026-01-12T00:00:00.000Z'],
    ['0 0 13 * *', '2026-01-14T00:00:00', '2026-02-13T00:00:00.000Z'],
    ['@hourly', '2026-01-01T00:00:01', '2026-01-01T01:00:00.000Z'],
    ['@daily', '2026-01-01T00:00:01', '2026-01-02T00:00:00.000Z'],
    ['@midnight', '2026-01-01T00:00:01', '2026-01-02T00:00:00.000Z'],
    ['@weekly', '2026-01-01T00:00:00', '2026-01-04T00:00:00.000Z'],
    ['@monthly', '2026-01-02T00:00:00', '2026-02-01T00:00:00.000Z'],
    ['@yearly', '2026-01-02T00:00:00', '2027-01-01T00:00:00.000Z'],
    ['@Annually', '2026-01-02T00:00:00', '2027-01-01T00:00:00.000Z'],
    ['  0   9 * *\t1 ', '2026-01-02T10:00:00', '2026-01-05T09:00:00.000Z'],
    ['0 0 30 2 *', '2026-01-01T00:00:00', 'never'],
    ['0 0 31 2,4,6 *', '2026-01-01T00:00:00', 'never'],
  ])('%s after %s is next at %s', (expression, from, expected) => {
    expect(next(expression, from)).toBe(expected);
  });

  it.each([
    ['', /expected 5 fields .* got none/],
    ['* * *', /expected 5 fields \(minute hour day-of-month month weekday\) or 6 with seconds in front, got 3/],
    ['* * * * * * *', /got 7/],
    ['60 * * * *', /field minute: expected values from 0 to 59.*got "60"/],
    ['* 24 * * *', /field hour: expected values from 0 to 23.*got "24"/],
    ['* * 0 * *', /field day-of-month: expected values from 1 to 31.*got "0"/],
    ['* * * 13 *', /field month: expected values from 1 to 12, or a name like feb.*got "13"/],
    ['* * * * 8', /field weekday: expected values from 0 to 7, or a name like mon.*got "8"/],
    ['* * * * mondy', /did you mean "monday"\?.*got "mondy"/],
    ['* * * * fri-mon', /field weekday: expected a range from low to high, got "fri-mon"/],
    ['30-10 * * * *', /field minute: expected a range from low to high, got "30-10"/],
    ['*/0 * * * *', /field minute: expected a step from 1 to 59, got "0"/],
    ['*/x * * * *', /field minute: expected a step/],
    ['*/5/5 * * * *', /field minute/],
    ['1-2-3 * * * *', /field minute/],
    ['1,,2 * * * *', /field minute: .*got ""/],
    ['-1 * * * *', /field minute/],
    ['1.5 * * * *', /field minute/],
    ['* * L * *', /field day-of-month: .*got "L"/],
    ['* * ? * *', /field day-of-month: .*got "\?"/],
    ['61 * * * * *', /field second: .*got "61"/],
    ['@dayly', /expected one of @hourly, .*got "@dayly" \(did you mean @daily\?\)/],
    ['@reboot', /expected one of/],
    ['x'.repeat(300), /expected at most 200 characters, got 300/],
  ])('%j is refused in a sentence', (expression, sentence) => {
    expect(() => parseCron(expression)).toThrow(CronFault);
    expect(() => parseCron(expression)).toThrow(sentence);
  });

  it('is read or refused with a sentence, whatever it says', () => {
    const word = fc.stringMatching(/^[0-9a-z*/,@? -]{0,20}$/);
    fc.assert(
      fc.property(word, (text) => {
        try {
          expect(parseCron(text).hours.length).toBeGreaterThan(0);
        } catch (failure) {
          expect(failure).toBeInstanceOf(CronFault);
        }
      }),
    );
  });
});
