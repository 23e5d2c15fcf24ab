import { expect, it } from 'vitest';
import { resultLine } from '../../bench/measurement.ts';
import { recordedRatio, smallCatchup, smallResult } from '../../bench/small-catchup.ts';
import { describeWithOwn } from '../support/shared-servers.ts';

const NAME = 'catchup: small, CPU beside a statement a row';

describeWithOwn(['mariadb', 'zookeeper'], 'the speed of catching up', () => {
  it('is at least half of what was recorded, beside a statement a row in the same run', {
    timeout: 300_000,
  }, async () => {
    const recorded = recordedRatio(NAME);
    const found = await smallCatchup({
      enough: recorded / 2,
      attempts: 2,
      say: (text) => process.stdout.write(`${text}\n`),
    });
    process.stdout.write(`recorded ${recorded}\n${resultLine(smallResult(found))}`);
    expect(found.cpuRatio).toBeGreaterThanOrEqual(recorded / 2);
  });
});
