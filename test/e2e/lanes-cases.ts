/** Apply mode `parallel` under a live writer: kills at every place where lanes may come apart, and what else may happen to them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { waitFor, withDeadline } from '../../lib/abort.ts';
import { compareSchemas } from '../support/compare-schemas.ts';
import type { DatabaseFlavour } from '../support/database.ts';
import { HoltInstallation } from '../support/holt-installation.ts';
import { ServerUnavailable } from '../support/inventory.ts';
import { PIPELINE, Replication } from '../support/replication.ts';
import { startDatabase, startZookeeper } from '../support/servers.ts';
import { createShop, SCHEMA, ShopWriter, TABLES } from '../support/shop.ts';

/** Every batch goes over lanes, however small. */
const APPLY = { mode: 'parallel', lanes: 3, minRows: 1 };

/** Failpoints of the target's node, and at which passing. */
export const LANE_KILLS = [
  ['lanes:planned', 1],
  ['lane:guarded', 7],
  ['lane:before-commit', 8],
  // One lane has committed, or two, and the others have not.
  ['lane:after-commit', 7],
  ['lane:after-commit', 8],
  ['lanes:done', 4],
  ['load:before-commit', 4],
  ['load:after-commit', 4],
] as const;

export interface LaneCase {
  readonly source: DatabaseFlavour;
  readonly target: DatabaseFlavour;
  readonly kills: readonly (readonly [failpoint: string, at: number])[];
  readonly thorough: boolean;
}

/**
 * Kills the target's node at each failpoint; then the number of lanes changes, a schema change comes, and the mode is given up. Nothing is
 * lost or repeated: the table without a key would show it.
 */
export function lanesUnderFire({ source, target, kills, thorough }: LaneCase): void {
  it(`lanes lose nothing and repeat nothing when killed, with other lanes and with none, and across DDL: ${source} → ${target}`, async (context) => {
    let replication: Replication;
    try {
      replication = await Replication.create({
        source,
        target,
        nodes: { 'east-1': 'east', 'west-1': 'west' },
        pipeline: { apply: APPLY },
        rate: 150,
      });
    } catch (error) {
      if (error instanceof ServerUnavailable) return context.skip(`SKIPPED: ${error.message}`);
      throw error;
    }
    await using run = replication;
    const { holt, writer } = run;
    const west = holt.node('west-1');
    await holt.start();
    await run.reigning();
    writer.start();
    await run.flows();
    for (const [failpoint, at] of kills) {
      await west.stop();
      // A plan is written when something of it is new.
      if (failpoint === 'lanes:planned') await run.target.db.query('DELETE FROM holt.lane_plan');
      await west.start({ failpoints: `${failpoint}=kill@${at}` });
      const end = await withDeadline(west.process.ended, 60_000, `the node to be killed at ${failpoint}`);
      expect(end.signal).toBe('SIGKILL');
      await west.start();
      await run.flows();
    }
    expect(west.logText()).toContain('lanes:taken');

    const reconfigure = async (apply: object) => {
      const document = JSON.parse(readFileSync(holt.configFile, 'utf8'));
      document.spec.channels.main.pipelines[PIPELINE].apply = apply;
      writeFileSync(holt.configFile, JSON.stringify(document));
      // In the midst of what lanes write.
      await west.kill();
      await holt.node('east-1').stop();
      await holt.start();
      await run.flows();
    };
    await reconfigure({ ...APPLY, lanes: 5 });
    const written = () =>
      run.target.db.value('SELECT COUNT(*) FROM holt.checkpoint WHERE lane BETWEEN 1 AND 5 AND seq > 0');
    await waitFor(async () => (await written()) === '5', {
      timeoutMs: 120_000,
      what: 'all five lanes to write',
    });
    // Until now its key decided the lane; from here on all of the table goes to one.
    await run.source.db.query(`ALTER TABLE ${SCHEMA}.accounts ADD UNIQUE KEY both_columns (owner, id)`);
    await run.flows();
    if (thorough) await reconfigure({ ...APPLY, lanes: 2 });
    await run.flows();
    await reconfigure({ mode: 'prefix' });
    await run.settle();
    const index = `SELECT COUNT(*) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = '${SCHEMA}' AND INDEX_NAME = 'both_columns'`;
    expect(await run.target.db.value(index)).toBe('2');
  });
}

/** Both sites write, both pipelines use lanes: what came over does not go back, whichever lane brought it. */
export function lanesInALoop(flavours: Readonly<Record<'east' | 'west', DatabaseFlavour>>): void {
  it(`changes that lanes bring do not go back: ${flavours.east} ⇄ ${flavours.west}`, async () => {
    await using east = await startDatabase(flavours.east);
    await using west = await startDatabase(flavours.west);
    await using zookeeper = await startZookeeper();
    for (const { db } of [east, west]) await createShop(db, { sites: ['east', 'west'] });
    const pipeline = (source: string, target: string) => ({
      source,
      target,
      start: 'now',
      tables: [`${SCHEMA}.*`],
      apply: APPLY,
    });
    await using holt = await HoltInstallation.create({
      databases: { east: east.db.endpoint, west: west.db.endpoint },
      zookeeper: `127.0.0.1:${zookeeper.port}`,
      nodes: { 'east-1': 'east', 'west-1': 'west' },
      winner: 'east',
      pipelines: {
        'east-west': pipeline('east-db', 'west-db'),
        'west-east': pipeline('west-db', 'east-db'),
      },
    });
    await holt.start();
    const all = async (wanted: (status: { state: string; lagMs: number | null }) => boolean) => {
      const states = await Promise.all(['east-west', 'west-east'].map((name) => holt.status(name)));
      return states.every((status) => status !== null && wanted(status));
    };
    await waitFor(() => all(({ state }) => state === 'idle'), { timeoutMs: 60_000, what: 'both to run' });
    const writers = [east, west].map(
      ({ db }, index) =>
        new ShopWriter({ db, site: index === 0 ? 'east' : 'west', index, count: 2, rate: 80 }),
    );
    for (const writer of writers) writer.start();
    const laneSeq = (db: typeof east.db) =>
      db.value('SELECT COALESCE(SUM(seq), 0) FROM holt.checkpoint WHERE lane BETWEEN 1 AND 3');
    for (const { db } of [east, west])
      await waitFor(async () => Number(await laneSeq(db)) > 60, {
        timeoutMs: 120_000,
        what: 'lanes to write',
      });
    for (const writer of writers) await writer.stop();
    await waitFor(() => all(({ state, lagMs }) => state === 'idle' && lagMs === 0), {
      timeoutMs: 120_000,
      what: 'both to drain',
    });
    const differences = async () => (await compareSchemas(east.db, west.db, SCHEMA, TABLES)).differences;
    await waitFor(async () => (await differences()).length === 0, {
      timeoutMs: 60_000,
      pollMs: 500,
      what: 'both sites to be equal',
    }).catch(() => {});
    expect(await differences()).toEqual([]);
    for (const { db } of [east, west]) expect(await db.value('SELECT COUNT(*) FROM holt.ledger')).toBe('0');
  });
}
