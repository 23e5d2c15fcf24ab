import { describe } from 'vitest';
import { lanesInALoop, lanesUnderFire } from './lanes-cases.ts';

describe('G1 exactly once and G4 no echo with parallel lanes', () => {
  lanesUnderFire({
    source: 'mariadb',
    target: 'mariadb',
    kills: [['lane:after-commit', 8]],
    thorough: false,
  });
  lanesInALoop({ east: 'mariadb', west: 'mysql' });
});
