/**
 * The addresses that are not the protocol's: the front page and the OpenAPI document.
 */
import { Hono } from 'hono';
import { accepts } from 'hono/accepts';
import type { JsonObject } from '../core/json.ts';
import { type FrontPage, viewHtml, viewJson, viewText } from './front-page.ts';

const TYPES = ['text/plain', 'application/json', 'text/html'];

export function createFrontRoutes(page: FrontPage, openapi: JsonObject): Hono {
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
  app.get('/openapi.json', (context) => context.json(openapi));
  return app;
}
