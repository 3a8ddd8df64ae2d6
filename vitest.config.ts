import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    globalSetup: ['test/support/postgres.ts'],
    include: ['test/**/*.test.ts', 'samples/**/*.test.ts'],
    // Tests use real sockets, processes and PostgreSQL; two workers is what the smallest machine has cores for.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
