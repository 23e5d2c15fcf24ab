import { describe } from 'vitest';
import { killsUnderXa } from './xa-cases.ts';

describe('G1 exactly once, with XA', () => {
  killsUnderXa([
    ['select:before-publish', 'east'],
    ['select:after-publish', 'east'],
    ['load:before-commit', 'west'],
    ['load:after-commit', 'west'],
    ['load:before-receipt', 'west'],
  ]);
});
