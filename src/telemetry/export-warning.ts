/**
 * What the operator hears of telemetry that fails: one clear sentence per destination when records start to be lost,
 * again ten minutes later at the earliest, and never a secret.
 */
import { DiagLogLevel, diag } from '@opentelemetry/api';
import type { Clock } from '../core/clock.ts';

const QUIET_MS = 10 * 60_000;
const MAX_REASON_LENGTH = 200;

export interface LossReport {
  lost(count: number, reason: unknown): void;
  sent(): void;
}

/**
 * @param destination how the receiver is named to the operator, e.g. `the OTLP collector at http://host:4318`
 * @param setting the environment variable to look at
 */
export function createLossReport(
  destination: string,
  setting: string,
  onWarning: (message: string) => void,
  clock: Clock,
): LossReport {
  const limited = createWarningLimit(onWarning, clock);
  let lostCount = 0;
  return {
    lost(count, reason) {
      lostCount += count;
      limited(
        () =>
          `Telemetry does not reach ${destination} (${describeReason(reason)}): ${lostCount} spans or log records lost so far. ` +
          `Requests are not affected. Check ${setting} and the receiver; the next such warning comes in 10 minutes at the earliest.`,
      );
    },
    sent() {
      lostCount = 0;
    },
  };
}

/**
 * Sends what OpenTelemetry's packages complain about to `onWarning` instead of the console: all of it until the
 * returned function is called (set-up), then warnings only, rarely. Their errors after set-up are failed exports, which
 * the loss report already covers.
 */
export function routeDiagnostics(onWarning: (message: string) => void, clock: Clock): () => void {
  const limited = createWarningLimit(onWarning, clock);
  let settingUp = true;
  const silent = () => {};
  const say = (parts: readonly unknown[]) => () => `OpenTelemetry: ${parts.map(describeReason).join(' ')}`;
  const logger = {
    error: (...parts: unknown[]) => {
      if (settingUp) onWarning(say(parts)());
    },
    warn: (...parts: unknown[]) => (settingUp ? onWarning(say(parts)()) : limited(say(parts))),
    info: silent,
    debug: silent,
    verbose: silent,
  };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  return () => {
    settingUp = false;
  };
}

/** A failure in a few words: its code and message, without line breaks, credentials in addresses, or query strings. */
export function describeReason(reason: unknown): string {
  const text = reason instanceof Error ? describeError(reason) : String(reason);
  return text
    .replace(/:\/\/[^@/\s]*@/g, '://')
    .replace(/\?\S*/g, '')
    .replace(/InstrumentationKey=[^;\s]+/gi, 'InstrumentationKey=…')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, MAX_REASON_LENGTH);
}

function describeError(error: Error): string {
  const code = 'code' in error && error.code !== undefined ? String(error.code) : '';
  if (code === '' || error.message.includes(code)) return error.message || error.name;
  return error.message === '' ? code : `${code} ${error.message}`;
}

/** Says the first thing at once and everything within ten minutes after it not at all. */
function createWarningLimit(onWarning: (message: string) => void, clock: Clock): (message: () => string) => void {
  let quietUntil = Number.NEGATIVE_INFINITY;
  return (message) => {
    if (clock.monotonic() < quietUntil) return;
    quietUntil = clock.monotonic() + QUIET_MS;
    onWarning(message());
  };
}
