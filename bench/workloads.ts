/**
 * Backlogs of other kinds than sysbench's, caught up beside the server's own replica:
 *
 *     npm run bench -- bulk|wide|manytables|hotrow|tiny|ddlmix [--server mariadb|mysql] [--quick] [--repeat N] [--layout …] [--peer …] [--times N] …
 */
import { Backlog, type BacklogPlan } from './backlog.ts';
import type { Bench } from './bench.ts';
import { type BenchFlavour, benchSettings } from './bench-servers.ts';
import { compare, layoutsOf, peersOf } from './comparison.ts';
import { optionsOf } from './options.ts';
import { procedureBacklog } from './procedures.ts';
import { Recorder } from './recorder.ts';
import { sysbenchBacklog } from './sysbench.ts';

const PEER_LIMIT_MS = 120_000;

interface Sizes {
  readonly server: BenchFlavour;
  readonly seed: number;
  /** How often the thing is done. */
  readonly times: number;
}

interface Workload {
  readonly name: string;
  readonly question: string;
  /** Whether rows are hit evenly. */
  readonly workload: 'skewed' | 'uniform';
  readonly times: Readonly<Record<BenchFlavour, number>>;
  /** A statement a row is left out where it would take longest, and where tables change on the way. */
  readonly peers: string;
  readonly plan: (sizes: Sizes) => BacklogPlan;
}

const BULK_ROWS = 200;

const WORKLOADS: readonly Workload[] = [
  {
    name: 'bulk',
    question: 'How fast are ten million small inserts caught up?',
    workload: 'uniform',
    times: { mariadb: 10_000_000 / BULK_ROWS, mysql: 10_000_000 / BULK_ROWS },
    peers: 'own-replica',
    plan: ({ times, seed }) => bulkBacklog(times, seed),
  },
  {
    name: 'wide',
    question: 'How fast are rows with a BLOB of 64 KiB caught up?',
    workload: 'uniform',
    times: { mariadb: 8_000, mysql: 8_000 },
    peers: 'own-replica,statement-a-row',
    plan: ({ times, seed }) =>
      procedureBacklog({
        name: `wide: ${times} inserts, and an update for every second`,
        tables: ['wide'],
        prepare: [
          'CREATE TABLE wide (id INT NOT NULL PRIMARY KEY, n INT NOT NULL, b MEDIUMBLOB NOT NULL) ENGINE=InnoDB',
        ],
        body: `INSERT INTO wide VALUES (i, 0, REPEAT(UNHEX(SHA2(CONCAT(i, ':', ${seed}), 512)), 1024));
               IF i % 2 = 1 THEN
                 SET @id = FLOOR(RAND() * i);
                 UPDATE wide SET n = n + 1 WHERE id = @id;
               END IF`,
        times,
        rowsEach: 1.5,
        seed,
      }),
  },
  {
    name: 'manytables',
    question: 'How fast is a backlog over a thousand tables caught up?',
    workload: 'uniform',
    times: { mariadb: 200_000, mysql: 120_000 },
    peers: 'own-replica,statement-a-row',
    plan: ({ times, seed }) => ({
      ...sysbenchBacklog({
        name: `manytables: ${times} transactions over 1 000 tables`,
        tables: 1_000,
        tableRows: 100,
        transactions: times,
        distribution: 'uniform',
        seed,
      }),
      settings: { table_open_cache: 4_000, open_files_limit: 10_000 },
    }),
  },
  {
    name: 'hotrow',
    question: 'How fast is one row, updated over and over, caught up?',
    workload: 'skewed',
    times: { mariadb: 500_000, mysql: 400_000 },
    peers: 'own-replica,statement-a-row',
    plan: ({ times, seed }) =>
      procedureBacklog({
        name: `hotrow: ${times} updates of one row`,
        tables: ['hot'],
        prepare: [
          'CREATE TABLE hot (id INT NOT NULL PRIMARY KEY, n BIGINT NOT NULL, c VARCHAR(100) NOT NULL) ENGINE=InnoDB',
          "INSERT INTO hot VALUES (1, 0, '')",
        ],
        body: 'UPDATE hot SET n = n + 1, c = CONCAT(i, REPEAT("x", 60)) WHERE id = 1',
        times,
        rowsEach: 1,
        seed,
      }),
  },
  {
    name: 'tiny',
    question: 'How fast are transactions of a single row caught up?',
    workload: 'uniform',
    times: { mariadb: 500_000, mysql: 400_000 },
    peers: 'own-replica,statement-a-row',
    plan: ({ times, seed }) => singleRows('tiny', times, seed, ''),
  },
  {
    name: 'ddlmix',
    question: 'What does a schema change in a thousand transactions cost?',
    workload: 'uniform',
    times: { mariadb: 60_000, mysql: 60_000 },
    peers: 'own-replica',
    plan: ({ times, seed }) => ({
      ...singleRows(
        'ddlmix',
        times,
        seed,
        `IF i % 1000 = 500 THEN
           SET @alter = CONCAT('ALTER TABLE tiny ', IF(i % 2000 < 1000, 'ADD COLUMN extra INT', 'DROP COLUMN extra'));
           PREPARE alter_it FROM @alter;
           EXECUTE alter_it;
           DEALLOCATE PREPARE alter_it;
         END IF;`,
      ),
      // The pipeline begins behind changes that it has not seen: what columns were called then must stand in the log.
      settings: { binlog_row_metadata: 'FULL' },
    }),
  },
];

export const workloads: Readonly<Record<string, Bench>> = Object.fromEntries(
  WORKLOADS.map((one) => [one.name, benchOf(one)]),
);

function benchOf({ name, question, workload, times, peers, plan }: Workload): Bench {
  return {
    question,
    plan: [
      ['--server', 'mariadb'],
      ['--server', 'mysql'],
    ],
    async run(args) {
      const { common, text } = optionsOf(args, {
        layout: { type: 'string', default: 'node-per-site' },
        peer: { type: 'string', default: peers },
        times: { type: 'string' },
      });
      const { server, flush, quick, seed } = common;
      const count = Number(text('times') ?? (quick ? times[server] / 20 : times[server]));
      const recorder = new Recorder({
        bench: name,
        question,
        seed,
        settings: benchSettings(server, flush),
        file: common.save ? `${name}-${server}` : null,
      });
      const made = plan({ server, seed, times: count });
      await using backlog = await Backlog.make({ flavour: server, flush, plan: made }, recorder.say);
      recorder.version(server, backlog.source.version);
      recorder.fact('backlog', made.name);
      recorder.fact('flush', flush);
      recorder.fact('row changes', backlog.rows);
      recorder.fact('binlog bytes', backlog.binlogBytes);
      await compare({
        bench: name,
        workload,
        backlog,
        recorder,
        layouts: layoutsOf(text('layout')),
        peers: peersOf(text('peer')),
        rounds: common.repeat,
        peerLimitMs: PEER_LIMIT_MS,
        holt: common.holt,
      });
    },
  };
}

/** 10 million rows in transactions of 200, what `memory` runs on, too. */
export function bulkBacklog(times: number, seed: number): BacklogPlan {
  return procedureBacklog({
    name: `bulk: ${times * BULK_ROWS} inserts, ${BULK_ROWS} a transaction`,
    tables: ['bulk'],
    prepare: [
      `CREATE TABLE numbers (n INT NOT NULL PRIMARY KEY) ENGINE=InnoDB`,
      `INSERT INTO numbers WITH RECURSIVE r (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM r WHERE n < ${BULK_ROWS - 1}) SELECT n FROM r`,
      `CREATE TABLE bulk (id BIGINT NOT NULL PRIMARY KEY, k INT NOT NULL, at DATETIME NOT NULL, name VARCHAR(40) NOT NULL, KEY (k)) ENGINE=InnoDB`,
    ],
    body: `INSERT INTO bulk SELECT i * ${BULK_ROWS} + n, (i * ${BULK_ROWS} + n) DIV 7, '2026-01-01 00:00:00' + INTERVAL i SECOND, CONCAT('name ', i, '/', n) FROM numbers`,
    times,
    rowsEach: BULK_ROWS,
    seed,
  });
}

function singleRows(name: string, times: number, seed: number, between: string): BacklogPlan {
  return procedureBacklog({
    name: `${name}: ${times} transactions of a row`,
    tables: ['tiny'],
    prepare: [
      'CREATE TABLE tiny (id INT NOT NULL PRIMARY KEY, k INT NOT NULL, c VARCHAR(60) NOT NULL, KEY (k)) ENGINE=InnoDB',
    ],
    body: `${between}
           IF i % 4 = 0 THEN
             INSERT INTO tiny (id, k, c) VALUES (1000000 + i, i, REPEAT('i', 40));
           ELSE
             INSERT INTO tiny (id, k, c) VALUES (1 + FLOOR(RAND() * 50000), i, 'new') ON DUPLICATE KEY UPDATE k = k + 1, c = CONCAT('v', i);
           END IF`,
    times,
    rowsEach: 1,
    seed,
  });
}
