import { defineConfig } from 'vitest/config';

const conditions = ['source'];
const common = { resolve: { conditions }, ssr: { resolve: { conditions } } };
const onRegions = {
  globalSetup: ['test/regions/harness/two-regions.ts'],
  // One deployment serves all files, and a cut concerns everybody: one file at a time.
  fileParallelism: false,
  // Real regions on two busy cores: a second try tells a late machine from a broken promise, and the report shows it.
  retry: 1,
  hookTimeout: 240_000,
};

export default defineConfig({
  ...common,
  test: {
    projects: [
      { ...common, test: { name: 'unit', include: ['test/unit/**/*.spec.ts', 'test/local/**/*.spec.ts', 'test/tidy/*.spec.ts'], testTimeout: 30_000 } },
      { ...common, test: { name: 'regions', include: ['test/regions/*.spec.ts'], ...onRegions, testTimeout: 120_000 } },
      // `npm run test:faults`: what takes minutes. Not part of `npm test`.
      { ...common, test: { name: 'faults', include: ['test/faults/*.spec.ts'], ...onRegions, testTimeout: 300_000 } },
      // `npm run test:money`: random schedules of money and faults, for five minutes.
      { ...common, test: { name: 'money', include: ['test/money/*.spec.ts'], ...onRegions, retry: 0 } },
    ],
  },
});
