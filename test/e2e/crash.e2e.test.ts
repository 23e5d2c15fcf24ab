import { describe } from 'vitest';
import { killsAtEveryStage } from './crash-cases.ts';

describe('G1 exactly once, G3 consistent prefix', () => {
  killsAtEveryStage({ source: 'mariadb', target: 'mariadb' });
});
