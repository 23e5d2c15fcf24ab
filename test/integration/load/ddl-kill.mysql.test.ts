import { expect, it } from 'vitest';
import { describeDatabase } from '../../support/shared-servers.ts';
import { DdlProcess, ddlBatch } from './ddl-fixture.ts';
import { CASES, DdlTrial, frozenAndWoken, killedAndFinished } from './ddl-kill-cases.ts';
import { kindOf, noSignal } from './load-fixture.ts';

const [ALTER, TRUNCATE, SWAP, INDEX, DROP_CREATE] = CASES;

// Each of these starts a process; every statement at every step is in ddl-kill.mysql.long.test.ts.
describeDatabase(['mariadb', 'mysql'], 'a schema change whose process ends in the middle', (context) => {
  for (const [one, failpoint, nth] of [
    [ALTER, 'ddl:executing', 1],
    [TRUNCATE, 'ddl:executed', 1],
    [SWAP, 'ddl:executed', 1],
    [INDEX, 'ddl:before-done', 1],
    [DROP_CREATE, 'ddl:executed', 2],
  ] as const)
    if (one !== undefined)
      it(`${one.name}, killed at ${failpoint}, is done once`, () =>
        killedAndFinished(context, one, failpoint, nth));

  it('is not done by a process that was frozen with it in hand, and woken after another has taken over', async () => {
    if (ALTER !== undefined) await frozenAndWoken(context, ALTER, 'ddl:executing');
  });

  it('is gone on with by another loader of the same reign', async () => {
    if (ALTER === undefined) return;
    const trial = await DdlTrial.begin(context, ALTER);
    await using child = new DdlProcess(trial.task, 'ddl:executed=stop');
    await child.frozen();
    const { pipeline, reign } = trial;
    const { run } = await pipeline.taken(reign);
    expect(kindOf(await run.load(ddlBatch(pipeline, reign, 1, trial.step(1)), noSignal))).toBe('applied');
    await run.close();
    expect(await child.wake()).toBe('lost-run');
    await trial.expectOnce();
  });
});
