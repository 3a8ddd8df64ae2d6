/** The sampler that `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` ask for. */
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-node';
import { type Env, setting } from './export.ts';

/** Unknown names and ratios are a warning, and count as `parentbased_always_on` and 1. */
export function samplerFromEnv(env: Env, onWarning: (message: string) => void): Sampler {
  const name = setting(env, 'OTEL_TRACES_SAMPLER')?.toLowerCase() ?? 'parentbased_always_on';
  switch (name) {
    case 'always_on':
      return new AlwaysOnSampler();
    case 'always_off':
      return new AlwaysOffSampler();
    case 'traceidratio':
      return new TraceIdRatioBasedSampler(ratioFromEnv(env, onWarning));
    case 'parentbased_always_on':
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case 'parentbased_always_off':
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case 'parentbased_traceidratio':
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratioFromEnv(env, onWarning)) });
    default:
      onWarning(
        `OTEL_TRACES_SAMPLER must be one of always_on, always_off, traceidratio and their parentbased_ forms, not "${name}"; ` +
          'every trace is sampled.',
      );
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
  }
}

function ratioFromEnv(env: Env, onWarning: (message: string) => void): number {
  const text = setting(env, 'OTEL_TRACES_SAMPLER_ARG');
  if (text === undefined) return 1;
  const ratio = Number(text);
  if (ratio >= 0 && ratio <= 1) return ratio;
  onWarning(`OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1, not "${text}"; every trace is sampled.`);
  return 1;
}
