import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { PLANTED_FAULTS, plantedFault } from '../../../fuzz/planted-faults.ts';
import { repositoryRoot } from '../../support/inventory.ts';

describe('planted faults', () => {
  it('are more than twenty, in decoding, folding and applying, each with a name of its own', () => {
    expect(PLANTED_FAULTS.length).toBeGreaterThanOrEqual(20);
    expect(new Set(PLANTED_FAULTS.map(({ name }) => name)).size).toBe(PLANTED_FAULTS.length);
    expect(new Set(PLANTED_FAULTS.map(({ area }) => area))).toEqual(
      new Set(['decoding', 'folding', 'applying']),
    );
    expect(() => plantedFault('none such')).toThrow(/no fault/);
  });

  it.each(PLANTED_FAULTS)('$name: replaces what its module exports', async (fault) => {
    const path = join(repositoryRoot(), fault.module);
    expect(existsSync(path)).toBe(true);
    const original = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
    const wrapped = fault.wrapped(original);
    expect(Object.keys(wrapped)).toEqual(fault.exports);
    for (const name of fault.exports) {
      expect(typeof original[name]).toBe('function');
      expect(wrapped[name]).not.toBe(original[name]);
    }
  });
});
