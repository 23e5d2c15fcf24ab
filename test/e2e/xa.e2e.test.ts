import { describe } from 'vitest';
import { killsUnderXa } from './xa-cases.ts';

describe('G1 exactly once, with XA', () => {
  killsUnderXa([['load:before-commit', 'west']]);
});
