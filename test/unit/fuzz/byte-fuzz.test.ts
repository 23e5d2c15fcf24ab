import { expect, it } from 'vitest';
import { byteFuzz } from '../../../fuzz/byte-fuzz.ts';

/** More with `npm run fuzz -- --bytes --seconds N`. */
it.each([1, 2])('no bytes crash, hang or exhaust who reads them, seed %d', (seed) => {
  const { findings, byTarget } = byteFuzz({ seed, from: 0, mayGoOn: (inputs) => inputs < 1200 });
  expect(findings).toEqual([]);
  expect([...byTarget.keys()]).toHaveLength(8);
  for (const [target, { inputs }] of byTarget) expect(inputs, target).toBe(150);
});
