import { expect, it } from 'vitest';
import { childRun } from '../../../fuzz/child-run.ts';
import { PLANTED_FAULTS } from '../../../fuzz/planted-faults.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';

/** On a machine of its own each is found in seconds; a busy one gets more time, not more tries of the fuzzer's wits. */
const SECONDS = 180;

describeWithOwn(['mariadb', 'mysql'], 'faults planted on purpose', () => {
  it('are all found by generated cases', async () => {
    expect(PLANTED_FAULTS.length).toBeGreaterThanOrEqual(20);
    const { output, code } = await childRun(
      ['--faults', '--seconds', String(SECONDS)],
      SECONDS * 2_000 + 240_000,
    );
    expect(output).not.toContain('NOT FOUND');
    expect(output).toContain(`${PLANTED_FAULTS.length} of ${PLANTED_FAULTS.length} planted faults found`);
    expect(code).toBe(0);
  });
});
