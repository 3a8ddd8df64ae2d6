import type { Migration } from '../migration.ts';

/** Facts of the feed about personal data that the audit log tells. */
export const screeningFacts = ['screening.warned', 'screening.redacted', 'screening.blocked'] as const;
/** Events of runs about personal data that the audit log tells. */
export const screeningEvents = ['screening.found'] as const;

const listed = (types: readonly string[]) => types.map((type) => `'${type}'`).join(', ');

export const screeningMigrations: readonly Migration[] = [
  {
    name: '024-screening',
    sql: `
      -- Which kinds of documents there are is for the code that reads them; more of it may follow.
      alter table aos.governance_documents drop constraint if exists governance_documents_kind_check;
      alter table aos.governance_documents add constraint governance_documents_kind_check check (kind ~ '^[a-z_]+$');

      create trigger audited_screening after insert on aos.feed for each row
        when (new.type in (${listed(screeningFacts)})) execute function aos.note_audited_fact();
      create trigger audited_screening after insert on aos.run_events for each row
        when (new.type in (${listed(screeningEvents)})) execute function aos.note_audited_event();`,
  },
];
