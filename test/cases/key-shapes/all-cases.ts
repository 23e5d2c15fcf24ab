import { FOREIGN_KEYS } from './foreign-keys.ts';
import type { KeyCase } from './key-case.ts';
import { MOVING_VALUES } from './moving-values.ts';
import { OTHER_TARGETS } from './other-targets.ts';
import { PLAIN_KEYS } from './plain-keys.ts';
import { STRING_KEYS } from './string-keys.ts';

/** Every key-shape case, in the order of the documentation. */
export const KEY_CASES: readonly KeyCase[] = [
  ...PLAIN_KEYS,
  ...STRING_KEYS,
  ...MOVING_VALUES,
  ...FOREIGN_KEYS,
  ...OTHER_TARGETS,
];
