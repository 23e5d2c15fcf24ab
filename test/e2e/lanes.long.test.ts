import { describe } from 'vitest';
import { LANE_KILLS, lanesUnderFire } from './lanes-cases.ts';

describe('G1 exactly once with parallel lanes, at every failpoint', () => {
  lanesUnderFire({ source: 'mariadb', target: 'mariadb', kills: LANE_KILLS, thorough: true });
  lanesUnderFire({ source: 'mysql', target: 'mysql', kills: LANE_KILLS, thorough: true });
  lanesUnderFire({ source: 'mysql56', target: 'mariadb', kills: LANE_KILLS, thorough: true });
});
