import { expect, it } from 'vitest';
import { resultLine } from '../../bench/measurement.ts';
import { recordedRatio } from '../../bench/small-catchup.ts';
import { smallDecode, smallDecodeResult } from '../../bench/small-decode.ts';
import { describeWithOwn } from '../support/shared-servers.ts';

const NAME = 'decode: small, CPU beside zongji';

describeWithOwn(['mariadb'], 'the speed of reading a log', () => {
  it('is at least half of what was recorded, beside zongji in the same run', {
    timeout: 300_000,
  }, async () => {
    const recorded = recordedRatio(NAME);
    const found = await smallDecode({
      enough: recorded / 2,
      attempts: 3,
      say: (text) => process.stdout.write(`${text}\n`),
    });
    process.stdout.write(`recorded ${recorded}\n${resultLine(smallDecodeResult(found))}`);
    expect(found.cpuRatio).toBeGreaterThanOrEqual(recorded / 2);
  });
});
