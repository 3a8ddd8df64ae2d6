/** One step in the life of the tables. A released migration is never edited; what must change is a new one. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
}
