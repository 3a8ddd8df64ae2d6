/**
 * The addresses of the REST door: every path of the operation table, the metrics, and words for those that no operation
 * has.
 */
import { Hono } from 'hono';
import type { Clock } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import type { Need } from '../identity/access.ts';
import type { Operation } from '../operations/operation.ts';
import type { ApiDoor } from './door.ts';
import { EXPOSITION_TYPE } from './exposition.ts';
import { familyOf } from './failure.ts';
import type { RequestMeter } from './request-meter.ts';
import { pathFault, routesOf } from './route-table.ts';

export interface ApiRoutesParts {
  readonly operations: readonly Operation[];
  readonly door: ApiDoor;
  readonly meter: RequestMeter;
  /** The text of `/metrics`. */
  readonly instruments: () => Promise<string>;
  readonly clock: Clock;
}

/** Its figures are those of all tenants. */
const METRICS: Need = { access: 'admin', what: 'server.metrics' };

export function createApiRoutes({ operations, door, meter, instruments, clock }: ApiRoutesParts): Hono {
  // A slash at the end means the same address.
  const app = new Hono({ strict: false });
  const routes = routesOf(operations);
  for (const route of routes) {
    const pattern = route.template.replace(/\{(\w+)\}/g, ':$1');
    app.all(pattern, async (context) => {
      const startedAt = clock.monotonic();
      const response = await door.answer(route, context.req.raw, context.req.param());
      meter.observe(context.req.method, route.template, response.status, (clock.monotonic() - startedAt) / 1000);
      return response;
    });
  }
  app.get('/metrics', async ({ req }) => {
    try {
      await door.enter(req.raw, METRICS);
      return new Response(await instruments(), { headers: { 'content-type': EXPOSITION_TYPE } });
    } catch (thrown) {
      return door.refuse(asError(thrown), 'flat', req.raw);
    }
  });
  app.notFound((context) => {
    const { path, raw } = context.req;
    return door.refuse(pathFault(path, routes), familyOf(path), raw);
  });
  return app;
}
