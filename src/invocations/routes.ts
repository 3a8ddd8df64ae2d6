/**
 * The addresses that are not the protocol's: the front page and the OpenAPI document.
 */
import { Hono } from 'hono';
import { accepts } from 'hono/accepts';
import type { JsonObject } from '../core/json.ts';
import { type FrontPage, viewHtml, viewJson, viewText } from './front-page.ts';

const TYPES = ['text/plain', 'application/json', 'text/html'];

export function createFrontRoutes(page: FrontPage, describe: () => JsonObject): Hono {
  let openapi: JsonObject | undefined;
  const app = new Hono();
  app.get('/', (context) => {
    const base = new URL(context.req.url).origin;
    context.header('vary', 'accept');
    switch (accepts(context, { header: 'Accept', supports: TYPES, default: 'text/plain' })) {
      case 'text/html':
        return context.html(viewHtml(page, base));
      case 'application/json':
        return context.json(viewJson(page, base));
      default:
        return context.text(viewText(page, base));
    }
  });
  // As the protocol host answers an unknown path when it has no app behind it (protocol §6.8).
  const headers = { 'content-type': 'text/plain; charset=utf-8' };
  app.notFound(() => new Response('Not Found', { status: 404, headers }));
  app.get('/openapi.json', (context) => {
    openapi ??= describe();
    return context.json(openapi);
  });
  return app;
}
