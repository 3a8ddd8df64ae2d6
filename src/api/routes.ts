/**
 * The addresses of the REST door: every path of the operation table, and words for those that no operation has.
 */
import { Hono } from 'hono';
import type { Operation } from '../operations/operation.ts';
import type { ApiDoor } from './door.ts';
import { familyOf } from './failure.ts';
import { pathFault, routesOf } from './route-table.ts';

export function createApiRoutes(operations: readonly Operation[], door: ApiDoor): Hono {
  // A slash at the end means the same address.
  const app = new Hono({ strict: false });
  const routes = routesOf(operations);
  for (const route of routes) {
    const pattern = route.template.replace(/\{(\w+)\}/g, ':$1');
    app.all(pattern, (context) => door.answer(route, context.req.raw, context.req.param()));
  }
  app.notFound((context) => {
    const { path, raw } = context.req;
    return door.refuse(pathFault(path, routes), familyOf(path), raw);
  });
  return app;
}
