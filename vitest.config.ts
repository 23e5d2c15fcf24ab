import { defineConfig } from 'vitest/config';

// A project per kind of need: the suffix of a file says which servers it wants (see test/README.md).
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/contract/**/*.unit.test.ts'],
          testTimeout: 20_000,
        },
      },
    ],
  },
});
