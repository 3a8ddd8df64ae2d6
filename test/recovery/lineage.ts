/**
 * A line of container processes on one database, each killed in its turn and followed by the next: what a client sees
 * as one address that is sometimes away.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { terminalEvents } from '../../src/runs/event.ts';
import { eventsOf, post, type SeenEvent } from '../support/invocations.ts';

export interface Death {
  readonly die: 'before' | 'after';
  /** Number of the event it dies over, or a file of the durable acts that were died over already: the next one. */
  readonly at: number | string;
}

const COMPILED = join(import.meta.dirname, '../../node_modules/.cache/aos-test-compiled');
const PROGRAM = join(import.meta.dirname, '../fixtures/mortal-container.ts');

/** A process that is loaded and waits. */
interface Heir {
  /** Lets it serve; resolves with the signal, or the exit code, that it ended with. */
  serve(): Promise<string>;
}

/** The events as a client sees them who goes on where it was, and how each process ended. */
export interface Lives {
  readonly events: SeenEvent[];
  readonly deaths: string[];
}

export class Lineage implements AsyncDisposable {
  readonly #databaseUrl: string;
  readonly #children = new Set<ChildProcess>();
  #address = Promise.withResolvers<string>();
  #errors = '';

  constructor(databaseUrl: string) {
    this.#databaseUrl = databaseUrl;
  }

  /** Address of the process that serves, or of the next one that will. */
  get address(): Promise<string> {
    return this.#address.promise;
  }

  /** Everything the processes said on standard error. */
  get errors(): string {
    return this.#errors;
  }

  /**
   * Has `body` run to its end while one process after the other is killed: each gets one event further than the one
   * before it, and dies over that one.
   */
  dieAtEveryEvent(die: Death['die'], body: object): Promise<Lives> {
    return this.#dieOnAndOn(body, (number) => ({ die, at: number }));
  }

  /** The same over every durable act: admission, take-up, steps, events, waits, the end. @param list a file to note them in */
  dieAtEveryAct(die: Death['die'], body: object, list: string): Promise<Lives> {
    return this.#dieOnAndOn(body, () => ({ die, at: list }));
  }

  async #dieOnAndOn(body: object, deathOf: (number: number) => Death): Promise<Lives> {
    const followed = this.followToTheEnd(body);
    followed.catch(() => {});
    const deaths = await this.reign((number) => environmentOf(deathOf(number)), followed);
    return { events: await followed, deaths };
  }

  /**
   * Has one process after the other serve until what they serve is `over`.
   * @param environment of the first, second … process
   * @returns how each of them ended that ended before
   */
  async reign(environment: (number: number) => Record<string, string>, over: Promise<unknown>): Promise<string[]> {
    let isOver = false;
    const ended = over.finally(() => {
      isOver = true;
    });
    const deaths: string[] = [];
    let heir = this.#prepare(environment(1));
    while (!isOver) {
      const serving = heir.serve();
      heir = this.#prepare(environment(deaths.length + 2));
      const end = await Promise.race([serving, ended.then(() => this.#fateOf(serving))]);
      if (end !== undefined) deaths.push(end);
    }
    return deaths;
  }

  /**
   * How a process ended whose last word was heard before its end was: its database tells others of a commit as soon as
   * itself. Undefined for one that still answers.
   */
  #fateOf(serving: Promise<string>): Promise<string | undefined> {
    const asked = this.address.then(async (address) => {
      const isAlive = await fetch(`${address}/readiness`)
        .then(({ ok }) => ok)
        .catch(() => false);
      return isAlive ? undefined : serving;
    });
    return Promise.race([serving, asked]);
  }

  /** A client that wants every event: asks until it is heard, and goes on where it was whenever it is cut off. */
  async followToTheEnd(body: object): Promise<SeenEvent[]> {
    const id = randomUUID();
    const stream = { accept: 'text/event-stream' };
    const events: SeenEvent[] = [];
    while (!terminalEvents.some((type) => type === events.at(-1)?.type)) {
      const invocations = `${await this.address}/invocations`;
      try {
        const lastEvent = events.at(-1)?.seq;
        const response =
          lastEvent === undefined
            ? await post(invocations, body, { ...stream, 'x-agent-invocation-id': id })
            : await fetch(`${invocations}/${id}`, { headers: { ...stream, 'last-event-id': String(lastEvent) } });
        if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
        for await (const event of eventsOf(response)) events.push(event);
      } catch (failure) {
        if (!isCutConnection(failure)) throw failure;
        await delay(5);
      }
    }
    return events;
  }

  /** Loads a process that will die as its environment says and lets it wait. */
  #prepare(environment: Record<string, string>): Heir {
    const child = spawn(process.execPath, [PROGRAM], {
      env: { ...process.env, ...environment, NODE_COMPILE_CACHE: COMPILED },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#children.add(child);
    child.stderr.on('data', (text) => {
      this.#errors += text;
    });
    let served = false;
    createInterface({ input: child.stdout }).once('line', (address) => {
      served = true;
      this.#address.resolve(address);
    });
    const ended = new Promise<string>((resolve) => {
      child.once('exit', (code, signal) => {
        this.#children.delete(child);
        // One that died before it served leaves those who wait for an address waiting for the next.
        if (served) this.#address = Promise.withResolvers();
        resolve(signal ?? `exit code ${code}`);
      });
    });
    const databaseUrl = this.#databaseUrl;
    return {
      serve() {
        child.stdin.write(`${databaseUrl}\n`);
        return ended;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exits = [...this.#children].map((child) => once(child, 'exit'));
    for (const child of this.#children) child.kill('SIGKILL');
    await Promise.all(exits);
  }
}

function environmentOf({ die, at }: Death): Record<string, string> {
  return { DIE: die, [typeof at === 'number' ? 'DIE_AT' : 'DIE_LIST']: String(at) };
}

/** `fetch` says TypeError for a connection that was refused or broke. */
export function isCutConnection(failure: unknown): boolean {
  return failure instanceof Error && failure.name === 'TypeError' && /fetch failed|terminated/.test(failure.message);
}
