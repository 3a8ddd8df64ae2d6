/** From the configuration to the model it names. Nothing of a provider is loaded before the model's first call. */
import type { Clock } from '../core/clock.ts';
import type { Run } from '../runs/run.ts';
import type { Model, ModelConfig, TokenCredential } from './model.ts';
import type { PriceTable } from './price.ts';
import { createProviderModel } from './provider-model.ts';
import { createSimulatedModel } from './simulated-model.ts';

export interface ModelOptions {
  readonly clock: Clock;
  /** Signs in to Azure; `DefaultAzureCredential` when left out. */
  readonly credential?: TokenCredential;
  /** What models cost; nothing is known when left out. */
  readonly prices?: PriceTable;
}

/** The model for a run: the simulated one where nothing may be called. */
export function modelFor(
  { model, simulatedModel }: { readonly model: Model; readonly simulatedModel?: Model | undefined },
  { simulation }: Pick<Run, 'simulation'>,
): Model {
  return simulation ? (simulatedModel ?? model) : model;
}

export function createModel(config: ModelConfig, options: ModelOptions): Model {
  return config.provider === 'simulated'
    ? createSimulatedModel(config, options.clock)
    : createProviderModel(config, options);
}
