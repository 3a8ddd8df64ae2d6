/** Conditions in CEL: the one file that knows the library, which is loaded with the first policy. */
import type { JsonObject } from '../../core/json.ts';

/** What a condition is asked about; the members of CEL's `action`. */
export type ConditionInput = JsonObject;

/** Whether it holds; `undefined` when it cannot be said, because something it asks for is not there or of another type. */
export type Condition = (input: ConditionInput) => boolean | undefined;

export interface ConditionCompiler {
  /** @returns the condition, or in a sentence why it is none */
  compile(source: string): Condition | { readonly fault: string };
}

export async function loadConditions(): Promise<ConditionCompiler> {
  const { Environment } = await import('@marcbachmann/cel-js');
  const environment = new Environment({ unlistedVariablesAreDyn: false }).registerVariable('action', 'map');
  return {
    compile(source) {
      try {
        const expression = environment.parse(source);
        const { valid, type, error } = expression.check();
        if (!valid) return { fault: firstLine(error) };
        if (type !== 'bool' && type !== 'dyn') return { fault: `it gives a ${type}, not true or false` };
        return (input) => {
          try {
            const outcome: unknown = expression({ action: input });
            return typeof outcome === 'boolean' ? outcome : undefined;
          } catch {
            return undefined;
          }
        };
      } catch (thrown) {
        return { fault: firstLine(thrown) };
      }
    },
  };
}

/** What the author of a rule is told; the lines after it repeat the source. */
function firstLine(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.message.split('\n')[0] ?? '') : 'it is no CEL';
}
