/** The tools that come with the runtime. All but `http_fetch` work without a network. */
import type { SessionDocuments } from '../session-documents.ts';
import type { Tool } from '../tool.ts';
import { calculator } from './calculator.ts';
import { dateTime } from './date-time.ts';
import { createHttpFetch, type HttpFetchParts } from './http-fetch.ts';
import { createRecordDecision } from './record-decision.ts';
import { createSearchDocuments } from './search-documents.ts';

export interface StandardToolParts extends HttpFetchParts {
  readonly documents: SessionDocuments;
}

export function createStandardTools({ documents, ...http }: StandardToolParts): readonly Tool[] {
  return [
    calculator,
    dateTime,
    createSearchDocuments(documents),
    createRecordDecision(documents),
    createHttpFetch(http),
  ];
}
