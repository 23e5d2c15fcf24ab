import { describe } from 'vitest';
import { killsAtEveryStage } from './crash-cases.ts';

describe('G1 exactly once, G3 consistent prefix, on other servers', () => {
  killsAtEveryStage({ source: 'mysql', target: 'mysql' });
  killsAtEveryStage({ source: 'mysql56', target: 'mariadb' });
  killsAtEveryStage({ source: 'mariadb', target: 'mysql' });
});
