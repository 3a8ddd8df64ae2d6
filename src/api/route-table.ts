/**
 * The operations as routes: by path template, then by method. Words and paths that no operation has are answered with
 * the nearest that one has.
 */
import { closest } from '../core/closest.ts';
import { AosError } from '../core/errors.ts';
import type { Operation } from '../operations/operation.ts';

export interface ApiRoute {
  /** With `{name}` for members of the path. */
  readonly template: string;
  /** Upper-case method → what it asks for. */
  readonly operations: ReadonlyMap<string, Operation>;
}

/** Every path of the operations, aliases included; paths without members first, so that they win over those with. */
export function routesOf(operations: readonly Operation[]): readonly ApiRoute[] {
  const routes = new Map<string, Map<string, Operation>>();
  for (const operation of operations) {
    const { method, path, aliases = [] } = operation.spec.rest;
    for (const template of [path, ...aliases]) {
      const methods = routes.get(template) ?? new Map<string, Operation>();
      if (methods.has(method)) throw new Error(`two operations are ${method} ${template}`);
      routes.set(template, methods.set(method, operation));
    }
  }
  return [...routes]
    .map(([template, methods]) => ({ template, operations: methods }))
    .toSorted((one, other) => membersOf(one.template) - membersOf(other.template));
}

function membersOf(template: string): number {
  return template.split('{').length - 1;
}

/** The methods a route takes, as the header `Allow` writes them. */
export function allowedMethods(route: ApiRoute): string {
  const methods = [...route.operations.keys()];
  return (methods.includes('GET') ? [...methods, 'HEAD'] : methods).join(', ');
}

export function methodFault(route: ApiRoute, method: string): AosError {
  return new AosError('method_not_allowed', `${route.template} takes ${allowedMethods(route)}, not ${method}`);
}

export function pathFault(path: string, routes: readonly ApiRoute[]): AosError {
  const shown = path.slice(0, 200);
  const templates = routes.map(({ template }) => template);
  const meant = closest(shown, templates, ': did you mean %s?') || ': GET /openapi.json lists what there is';
  return new AosError('not_found', `there is nothing at ${shown}${meant}`, { reason: 'ROUTE_NOT_FOUND' });
}
