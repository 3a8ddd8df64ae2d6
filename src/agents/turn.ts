/**
 * A turn: one agent answers one brief. The model is called, the tools it asks for are run, and it is called again with
 * what they gave, until it answers. Each call of the model and each call of a tool is a durable step of the run; what is
 * told while a step runs goes to the log under keys of its own, so that a step that runs twice says everything once.
 *
 * Steps of a turn `t`: `t`, `t/call-2`, `t/call-3` … for the model, `t/tool-1/<tool>` … for tools. The text that counts
 * is that of the last call. `turn-loop.ts` takes it.
 */
import type { Context } from '@opentelemetry/api';
import type { Clock } from '../core/clock.ts';
import type { RunScope } from '../engine/engine.ts';
import type { Budgets } from '../governance/budget/budgets.ts';
import type { Governor } from '../governance/governor.ts';
import type { Egress } from '../governance/screening/egress.ts';
import type { TurnUsage } from '../runs/event.ts';
import type { Log } from '../telemetry/log.ts';
import type { Agent } from './agent.ts';
import type { Meter } from './meter.ts';
import type { Model } from './model.ts';
import type { Progress } from './progress.ts';
import type { ToolSet } from './tool.ts';

export interface Turn {
  /** Stable within the run: step name and prefix of its event keys, e.g. `round-1/ceo`. */
  readonly name: string;
  readonly agent: Agent;
  readonly round: number;
  /** The agents whose words are part of the brief. */
  readonly peers?: readonly string[];
}

/** What the turns of one execution of a run share. */
export interface TurnSetting {
  readonly scope: RunScope;
  readonly model: Model;
  readonly clock: Clock;
  readonly progress: Progress;
  /** The trace context the turn's spans begin in. */
  readonly traceContext: Context;
  /** Whether spans may hold what people and models wrote. */
  readonly captureContent: boolean;
  /** What agents may use; nothing when left out. */
  readonly tools?: ToolSet;
  /** Counts and holds back; nothing does when left out. */
  readonly meter?: Meter;
  /** Judges every tool call, and asks whoever has to agree to it. */
  readonly governor: Governor;
  /** What of personal data may leave, as the tenant wants it now; everything when left out. */
  readonly egress?: (tenantId: string) => Promise<Egress>;
  /** Sets aside what calls of the model may cost; nothing does when left out. */
  readonly budgets?: Budgets;
  /** Takes what goes wrong in tools and nobody outside may read. */
  readonly log?: Log;
}

/** What a resumed run knows of a turn that is over. */
export type TurnOutcome = {
  output: string;
  /** Of all its model calls. */
  usage: TurnUsage;
  model: string;
  simulated: boolean;
  tool_calls: number;
  started_at: string;
  completed_at: string;
};
