/**
 * Writes the text of one turn to the run's log while it is produced: batched, so that the log grows by time and not by
 * token, and keyed by offset, so that a repeated turn writes nothing twice.
 *
 * A turn that is run again first finds the text of the execution before it. While the new text agrees with that,
 * nothing is written; once it is longer, it goes on from there; if it says something else, one `turn.restarted` voids
 * the old text and a new series of deltas begins at offset 0. Followers thus never see a gap, a repeat or a mixture.
 * A turn of several model calls is written by one transcript after the other, each beginning where the log stands: what
 * a model says before it asks for a tool is shown, and voided once it says something else after it.
 */
import type { Clock, Timer } from '../core/clock.ts';
import type { RunScope } from '../engine/engine.ts';
import type { RunEvent } from '../runs/event.ts';

/** Within what people take for immediate, and few enough events for the database. */
const BATCH_MS = 80;

/** What the log holds of a turn's text from executions before this one. */
export interface RecordedText {
  readonly text: string;
  /** How often the text was voided: the series of deltas that is being written. */
  readonly series: number;
}

export interface Transcript {
  /** Takes more of the text; it is written at the latest 80 ms later. @throws the failure of an earlier write */
  write(text: string): void;
  /** Writes what is left. @returns the whole text */
  end(): Promise<string>;
  /** Stops writing; resolves when nothing is under way any more. */
  abandon(): Promise<void>;
  /** What the log holds of the turn's text now, for whoever goes on after `end` or `abandon`. */
  recorded(): RecordedText;
}

export interface TranscriptOptions {
  readonly turn: string;
  readonly agentId: string;
  readonly recorded: RecordedText;
  readonly emit: RunScope['emit'];
  readonly clock: Clock;
}

export function recordedText(history: readonly RunEvent[], turn: string): RecordedText {
  let text = '';
  let series = 0;
  for (const event of history) {
    if (event.type === 'turn.restarted' && event.data.turn === turn) {
      text = '';
      series += 1;
    } else if (event.type === 'turn.delta' && event.data.turn === turn) {
      text = text.slice(0, event.data.offset) + event.data.text;
    }
  }
  return { text, series };
}

export function createTranscript({ turn, agentId, recorded, emit, clock }: TranscriptOptions): Transcript {
  let text = '';
  let { series } = recorded;
  /** What the log holds of the current series; beyond `text` only while repeating an earlier execution. */
  let written = recorded.text;
  let writing: Promise<void> = Promise.resolve();
  let failed: { readonly thrown: unknown } | undefined;
  let timer: Timer | undefined;
  let lastFlush = Number.NEGATIVE_INFINITY;

  async function flush(isEnd: boolean): Promise<void> {
    if (failed !== undefined) return;
    try {
      await writeUpTo(isEnd ? text : withoutHalfCharacter(text), isEnd);
    } catch (thrown) {
      failed = { thrown };
    }
  }

  async function writeUpTo(target: string, isEnd: boolean): Promise<void> {
    const agrees = target.startsWith(written) || (!isEnd && written.startsWith(target));
    if (!agrees) {
      series += 1;
      written = '';
      await emit(`${turn}:restarted:${series}`, { type: 'turn.restarted', data: { turn, agent_id: agentId } });
    }
    if (target.length <= written.length) return;
    const offset = written.length;
    const data = { turn, agent_id: agentId, offset, text: target.slice(offset) };
    await emit(`${turn}:delta:${series}:${offset}`, { type: 'turn.delta', data });
    written = target;
  }

  function flushSoon(): void {
    timer = undefined;
    lastFlush = clock.monotonic();
    writing = writing.then(() => flush(false));
  }

  return {
    write(more) {
      if (failed !== undefined) throw failed.thrown;
      text += more;
      if (timer !== undefined) return;
      // The first words go out at once; after that a batch is as long as the time since the last one leaves.
      const wait = lastFlush + BATCH_MS - clock.monotonic();
      if (wait <= 0) flushSoon();
      else timer = clock.after(wait, flushSoon);
    },
    async end() {
      timer?.cancel();
      writing = writing.then(() => flush(true));
      await writing;
      if (failed !== undefined) throw failed.thrown;
      return text;
    },
    async abandon() {
      timer?.cancel();
      await writing;
    },
    recorded: () => ({ text: written, series }),
  };
}

/** Without a first half of a surrogate pair at its end, which would not survive being written alone. */
function withoutHalfCharacter(text: string): string {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff ? text.slice(0, -1) : text;
}
