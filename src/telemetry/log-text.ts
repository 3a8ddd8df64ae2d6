/**
 * Log records for a person at a terminal: the same lines, as text instead of JSON.
 */
import type { LogSink } from './log.ts';

/** Members of every record that are said by position, or say nothing to somebody at a terminal. */
const SAID = new Set(['level', 'time', 'logger', 'message']);

/** A sink that turns JSON lines into `time LEVEL message name=value …`; what is not JSON passes as it is. */
export function createTextSink(write: (lines: string) => void): LogSink {
  return {
    write: (lines) => {
      for (const line of lines.split('\n')) if (line !== '') write(`${asText(line)}\n`);
    },
  };
}

function asText(line: string): string {
  let record: Record<string, unknown>;
  try {
    record = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line;
  }
  const { level = '', time = '', message = '' } = record;
  const clock = String(time).slice(11, 23);
  const fields = Object.entries(record)
    .filter(([name, value]) => !SAID.has(name) && value !== '' && value !== null)
    // Some messages say their fields themselves, for readers of the text alone.
    .filter(([name]) => !String(message).includes(`${name}=`))
    .map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return `${clock} ${String(level).padEnd(7)} ${String(message)}${fields.join('')}`;
}
