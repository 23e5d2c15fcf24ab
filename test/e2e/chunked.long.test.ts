import { describe } from 'vitest';
import { killsInChunks } from './chunked-cases.ts';

describe('G1 exactly once, with large transactions in chunks', () => {
  killsInChunks([
    ['load:before-commit', 'west'],
    ['load:after-commit', 'west'],
    ['select:after-publish', 'east'],
    ['load:before-receipt', 'west'],
  ]);
});
