/** Version of the promise in `docs/durable-invocations.md`; its first number changes when a client could break. */
export const LIFECYCLE_VERSION = '1.0';
