/**
 * npm run demo [-- --seconds 20] [--server mariadb|mysql] [--two-way]
 *
 * Two sites with a database each, one ZooKeeper, a Redis per site, two nodes per site; a writer keeps changing rows; half-way
 * the node that holds Load is killed with a batch open. At the end everything is compared by code that shares nothing with Holt.
 * Exit code 0 only if all of it is equal.
 */
import { randomBytes } from 'node:crypto';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { waitFor } from '../lib/abort.ts';
import { pipelineTable, stageTable } from '../node/cli/remote-commands.ts';
import type { PipelineStatusView } from '../node/operations.ts';
import { compareSchemas } from '../test/support/compare-schemas.ts';
import { HoltInstallation } from '../test/support/holt-installation.ts';
import { startDatabase, startRedis, startZookeeper } from '../test/support/servers.ts';
import { createShop, SCHEMA, ShopWriter, TABLES } from '../test/support/shop.ts';
import { countEchoes } from './echo.ts';

const HELP = `npm run demo -- [options]
  --seconds N        how long the writer writes (20)
  --server S         mariadb or mysql (mariadb)
  --two-way          both sites write
  --image MINIMAL    binlog_row_image at the target (FULL)
  --rate N           transactions a second and writer (300)
  --logs DIR         keep the nodes' logs, at level debug`;

interface Options {
  readonly seconds: number;
  readonly server: 'mariadb' | 'mysql';
  readonly twoWay: boolean;
  readonly image: string;
  readonly rate: number;
  readonly logs: string | null;
}

function options(): Options {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '20' },
      server: { type: 'string', default: 'mariadb' },
      'two-way': { type: 'boolean', default: false },
      image: { type: 'string', default: 'FULL' },
      rate: { type: 'string', default: '300' },
      logs: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${HELP}\n`);
    process.exit(0);
  }
  const seconds = Number(values.seconds);
  if (!(seconds >= 4)) throw new Error('--seconds is at least 4');
  if (values.server !== 'mariadb' && values.server !== 'mysql')
    throw new Error('--server is mariadb or mysql');
  return {
    seconds,
    server: values.server,
    twoWay: values['two-way'],
    image: values.image,
    rate: Number(values.rate),
    logs: values.logs ?? null,
  };
}

const started = performance.now();

function say(text: string): void {
  const at = ((performance.now() - started) / 1000).toFixed(1).padStart(6);
  process.stdout.write(`${at} s  ${text}\n`);
}

/** The table, redrawn in place on a terminal, repeated every few seconds elsewhere. */
class Screen {
  #lines = 0;
  #lastMs = 0;

  show(pipelines: readonly PipelineStatusView[]): void {
    const live = process.stdout.isTTY === true;
    if (!live && performance.now() - this.#lastMs < 3_000) return;
    this.#lastMs = performance.now();
    const text = `${pipelineTable(pipelines)}\n\n${stageTable(pipelines)}\n`;
    if (live && this.#lines > 0) process.stdout.write(`\u001b[${this.#lines}A\u001b[0J`);
    process.stdout.write(text);
    this.#lines = text.split('\n').length - 1;
  }

  /** What is printed next stays above. */
  leave(): void {
    this.#lines = 0;
  }
}

async function main(): Promise<boolean> {
  const { seconds, server, twoWay, image, rate, logs } = options();
  say(`starting two ${server} servers, ZooKeeper and Redis on free loopback ports`);
  const settings = { binlog_row_image: image };
  await using east = await startDatabase(server, twoWay ? { settings } : {});
  await using west = await startDatabase(server, { settings });
  await using zookeeper = await startZookeeper();
  await using redis = await startRedis();
  const sites = twoWay ? ['east', 'west'] : ['east'];
  await createShop(east.db, { sites });
  await createShop(west.db, { sites });

  const url = `redis://127.0.0.1:${redis.port}/0`;
  const pipelines = {
    'east-west': { source: 'east-db', target: 'west-db', start: 'now', tables: [`${SCHEMA}.*`] },
    ...(twoWay
      ? { 'west-east': { source: 'west-db', target: 'east-db', start: 'now', tables: [`${SCHEMA}.*`] } }
      : {}),
  };
  await using holt = await HoltInstallation.create({
    databases: { east: east.db.endpoint, west: west.db.endpoint },
    zookeeper: `127.0.0.1:${zookeeper.port}`,
    nodes: { 'east-1': 'east', 'east-2': 'east', 'west-1': 'west', 'west-2': 'west' },
    pipelines,
    redis: { east: url, west: url },
    ...(logs === null ? {} : { logLevel: 'debug' }),
    ...(twoWay ? { winner: 'east' } : {}),
  });
  if (logs !== null) process.on('exit', () => cpSync(holt.folder, logs, { recursive: true }));
  say('starting four nodes: east-1, east-2, west-1, west-2');
  await holt.start();
  const names = Object.keys(pipelines);
  const all = async () =>
    (await Promise.all(names.map((name) => holt.status(name)))).filter((one) => one !== null);
  await waitFor(
    async () =>
      (await all()).every((one) => one.state === 'running' || one.state === 'idle') &&
      (await all()).length === names.length,
    {
      timeoutMs: 60_000,
      pollMs: 200,
      what: 'every pipeline to run',
    },
  );
  for (const node of holt.nodes.values()) say(`${node.name}: ${node.apiUrl}`);
  const [first] = holt.nodes.values();
  if (first !== undefined) {
    const tokenFile = join(holt.folder, 'api-token');
    writeFileSync(tokenFile, `${holt.token}\n`, { mode: 0o600 });
    const password = randomBytes(9).toString('base64url');
    await first.api.createUser({ name: 'demo', role: 'admin', pipelines: null, password });
    say(
      `watch it in a browser: the lag of each stage, and the kill of a node in ${Math.round(seconds / 2)} s as it happens`,
    );
    say(`    ${first.apiUrl}    name: demo    password: ${password}`);
    if (seconds < 60) say('    (npm run demo -- --seconds 600 leaves time to look around)');
    say("or in a terminal, with an administrator's token that ends with the demo:");
    say(`    node bin/holt.mjs status --watch --server ${first.apiUrl} --token-file ${tokenFile}`);
    say(`    curl -H "Authorization: Bearer $(cat ${tokenFile})" ${first.apiUrl}/api/v1/pipelines`);
  }

  const databases = { east: east.db, west: west.db };
  const writers = sites.map(
    (site, index) =>
      new ShopWriter({ db: databases[site as 'east' | 'west'], site, index, count: sites.length, rate }),
  );
  for (const writer of writers) writer.start();
  say(`writing at ${sites.join(' and ')} for ${seconds} s, about ${rate} transactions a second each`);

  const screen = new Screen();
  const endMs = performance.now() + seconds * 1000;
  let killed: string | null = null;
  while (performance.now() < endMs) {
    screen.show(await all());
    if (killed === null && performance.now() > endMs - seconds * 500) {
      killed = await killLoadHolder(holt, names[0] ?? '', screen);
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  await Promise.all(writers.map((writer) => writer.stop()));
  screen.leave();
  say(
    `writers stopped after ${writers.map((one) => `${one.transactions} transactions (${one.rows} rows)`).join(' and ')}; draining`,
  );
  await waitFor(
    async () => {
      const now = await all();
      screen.show(now);
      return now.length === names.length && now.every((one) => one.state === 'idle' && one.lagMs === 0);
    },
    { timeoutMs: 40_000, pollMs: 200, what: 'every pipeline to drain' },
  );
  screen.leave();

  let good = true;
  const comparison = await compareSchemas(east.db, west.db, SCHEMA, TABLES);
  for (const difference of comparison.differences) say(`DIFFERENT: ${difference}`);
  if (comparison.differences.length === 0)
    say(`EQUAL: ${comparison.rows} rows in ${TABLES.length} tables, every column compared`);
  else good = false;

  for (const name of names) {
    const report = await verify(holt, name);
    say(
      `holt verify ${name}: ${report.state}, ${report.rowsCompared} rows compared, ${report.differencesTotal} differences`,
    );
    if (report.state !== 'equal') good = false;
  }
  if (twoWay)
    for (const [site, db] of [
      ['east', east.db],
      ['west', west.db],
    ] as const) {
      const { holtTransactions, foreignRows, ownRows } = await countEchoes(db, site);
      say(
        `binlog of ${site}: ${holtTransactions} transactions of Holt with ${foreignRows} rows of the other site, ${ownRows} rows of its own sent back`,
      );
      if (ownRows > 0 || foreignRows === 0) good = false;
    }
  if (killed === null) {
    say('no node could be killed with a batch open');
    good = false;
  }
  say('stopping');
  await Promise.all([...holt.nodes.values()].filter((node) => node.isRunning).map((node) => node.stop()));
  say(good ? 'VERDICT: equal' : 'VERDICT: not equal');
  return good;
}

/** Kills -9 the node that holds Load while a batch is open; tells the seconds until rows flow again. */
async function killLoadHolder(
  holt: HoltInstallation,
  pipeline: string,
  screen: Screen,
): Promise<string | null> {
  const holder = await waitFor(
    async () => {
      const load = (await holt.status(pipeline))?.stages.find((one) => one.stage === 'load');
      return load !== undefined && load.batches > 0 && load.holder !== null ? load.holder : null;
    },
    { timeoutMs: 5_000, pollMs: 5, what: 'a batch at Load' },
  ).catch(() => null);
  if (holder === null) return null;
  const before = (await holt.status(pipeline))?.appliedSeq ?? '0';
  await holt.node(holder).kill();
  const killedMs = performance.now();
  screen.leave();
  say(`kill -9 of ${holder}, which holds Load with a batch open`);
  const status = await waitFor(
    async () => {
      const now = await holt.status(pipeline);
      return now?.appliedSeq !== null &&
        now?.appliedSeq !== undefined &&
        BigInt(now.appliedSeq) > BigInt(before) + 1n
        ? now
        : null;
    },
    { timeoutMs: 30_000, pollMs: 20, what: 'rows to flow again' },
  );
  const load = status.stages.find((one) => one.stage === 'load')?.holder;
  say(
    `rows flow again after ${((performance.now() - killedMs) / 1000).toFixed(1)} s${load ? `, Load is held by ${load}` : ''}`,
  );
  return holder;
}

async function verify(holt: HoltInstallation, pipeline: string) {
  const node = [...holt.nodes.values()].find((one) => one.isRunning);
  if (node === undefined) throw new Error('no node runs');
  const { id } = await node.api.startVerify(pipeline);
  return waitFor(
    async () => {
      const report = await node.api.verify(pipeline, id);
      return report.state === 'running' ? null : report;
    },
    { timeoutMs: 60_000, pollMs: 100, what: 'verify to end' },
  );
}

process.exitCode = (await main()) ? 0 : 1;
