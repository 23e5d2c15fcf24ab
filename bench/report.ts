/** npm run bench -- report: writes docs/performance.md from the files in bench/results. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median, RESULTS, type ResultFile, resultFile } from './measurement.ts';

const PAGE = fileURLToPath(new URL('../docs/performance.md', import.meta.url));

export function report(): void {
  const files = readdirSync(RESULTS)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => resultFile.parse(JSON.parse(readFileSync(join(RESULTS, name), 'utf8'))));
  writeFileSync(PAGE, performancePage(files));
  process.stdout.write(`${PAGE}\n`);
}

/** The page, from what was measured: pure, so that a test can say whether the page in the repository is the one of its figures. */
export function performancePage(files: readonly ResultFile[]): string {
  return [
    INTRODUCTION,
    '## Catching up\n',
    CATCHUP,
    ratios(files),
    busy(files),
    '## Each measurement\n',
    ...files.map(detail),
    BOUNDS,
    AGAIN,
    LIMITS,
  ].join('\n');
}

const INTRODUCTION = `# How fast it is

Made by \`npm run bench -- report\` from \`bench/results/\`; figures are not written by hand.
`;

const CATCHUP = `sysbench's \`oltp_write_only\` runs on a source with nobody following; then the backlog is caught up on a fresh copy of the data as it
was before. Rows are the source's row changes: four a transaction (an update of an indexed column, one of another column, a DELETE and an
INSERT).

- **Holt** goes through all four stages over a real ZooKeeper, in its default mode: the target shows a transaction boundary of the source at
  every moment. \`per-site\`: a node at each site; \`one-node\`: one process serves both. Timed from \`resume\` of a paused pipeline, so the raise,
  the opening of the dump and everything read from it lie in the time. \`started\`: by nodes just started, whose code is still being
  compiled; \`warm\`: by the same nodes, once more.
- **The server's own replica** is timed from the start of its SQL threads, with the relay log fetched already, with one thread and with several
  (MariaDB: \`optimistic\`); the better setting counts.
- The time ends when the last row of the backlog can be read at the target. A figure counts only when all tables are then equal, compared by
  code that shares nothing with Holt.
- Source, Holt's target and the replica have the same settings, named below; targets write their binlog. All of it shares one machine.
`;

function ratios(files: readonly ResultFile[]): string {
  const rows = files.flatMap((file) =>
    file.results.map((one) => [
      one.server,
      one.workload,
      one.layout,
      one.mode,
      count(one.rows_per_s),
      count(one.peer_rows_per_s),
      one.peer,
      `${one.ratio.toFixed(2)} ×`,
      cpu(file, `holt ${one.layout}, ${one.mode.replace(/^prefix, /, '')}`),
      cpu(file, one.peer),
    ]),
  );
  const head = [
    'server',
    'workload',
    'layout',
    'mode',
    'Holt, rows/s',
    'own replica, rows/s',
    'its best setting',
    'ratio',
    'CPU s with Holt',
    'CPU s with the own replica',
  ];
  return `${table(head, rows)}

CPU seconds are those of nodes, target and source together while the backlog was caught up (without ZooKeeper's, which are few): they depend less
than rows/s on what else the machine does.
`;
}

function cpu({ timings }: ResultFile, name: string): string {
  const own = timings.filter((one) => one.name === name);
  if (own.length === 0) return '–';
  const seconds = own.map((one) => one.targetCpuSeconds + one.sourceCpuSeconds + (one.nodesCpuSeconds ?? 0));
  return median(seconds).toFixed(1);
}

/** Says so where the machine had other work. */
function busy(files: readonly ResultFile[]): string {
  const loaded = files.filter(
    (file) => Math.max(...file.timings.map((one) => one.load)) > 1.5 * file.machine.cores,
  );
  if (loaded.length === 0) return '';
  return `The machine was not quiet in ${loaded.length} of these ${files.length} runs: the load average stands beside each measurement. Ratios are of medians within
one run, but what else ran changed from one minute to the next, and many processes that wait for each other lose more by that than one
that does not: neither rows/s nor ratios of such runs are to be relied on. A quiet machine shows more on both sides.\n`;
}

function detail({ machine, versions, settings, backlog, timings, results }: ResultFile): string {
  const [first] = results;
  const names = [...new Set(timings.map((one) => one.name))];
  const rows = names.map((name) => {
    const own = timings.filter((one) => one.name === name);
    const middle = (value: (one: (typeof own)[number]) => number | null) => {
      const known = own.map(value).filter((one) => one !== null);
      return known.length === 0 ? '–' : String(Math.round(median(known) * 100) / 100);
    };
    return [
      name,
      own.map((one) => count(one.rows_per_s)).join(', '),
      middle((one) => one.seconds),
      middle((one) => one.firstCommitSeconds),
      middle((one) => one.batches),
      middle((one) => one.nodesCpuSeconds),
      middle((one) => one.targetCpuSeconds),
      own.map((one) => one.load).join(', '),
    ];
  });
  const setting = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  return `### ${first?.server ?? ''}, ${first?.workload ?? ''}

${count(backlog.transactions)} transactions, ${count(backlog.rows)} row changes, ${(backlog.binlogBytes / 1e6).toFixed(0)} MB of binlog; ${backlog.tables} tables of ${count(backlog.tableRows)} rows, \`--rand-type=${backlog.distribution}\`, four threads.
${Object.entries(versions)
  .map(([name, version]) => `${name} ${version}`)
  .join(
    ', ',
  )}, node ${machine.node}, Linux ${machine.kernel}, ${machine.cores} cores (${machine.cpu}), ${machine.memoryGb} GiB, ${machine.at.slice(0, 16)}Z, commit ${machine.commit}.
Settings: ${setting.map((one) => `\`${one}\``).join(', ')}.

${table(
  [
    'what',
    'rows/s of each round',
    'seconds',
    'until the first commit',
    'batches',
    'CPU s of the nodes',
    'CPU s of the target',
    'load average',
  ],
  rows,
)}
`;
}

const BOUNDS = `## What bounds it

With two cores and everything on them, CPU time does: per row change, about as much goes into reading and assembling the binlog on the
source's node (checksums and short-lived objects lead the profile) as into fetching, folding and writing SQL on the target's node, and a little less into
the target itself. The stages overlap: while the target executes a batch, the next is prepared and the one after is read. Coordination is
not the bound: a batch costs about five ZooKeeper writes, and under a backlog it holds thousands of rows.
`;

const AGAIN = `## Measure it yourself

    npm run bench -- catchup --server mariadb --workload skewed --repeat 3
    npm run bench -- catchup --server mysql --workload uniform --repeat 3
    npm run bench -- report

It brings the servers and sysbench where they are missing, starts everything on free loopback ports and leaves nothing behind. \`--quick\` is a tenth of the
backlog; \`--profile DIR\` writes a CPU profile of each node; \`--batch '{"maxRows":50000}'\` tries other sizes of batches. Each measurement
ends with a line \`RESULT {json}\`. \`bench/apply.ts\` and \`bench/row-decode.ts\` measure the apply side and the decoding alone.
`;

const LIMITS = `## What this does not say

- The aim is 4 times MariaDB's own replica and 8 times MySQL's on the skewed backlog, 2.5 and 4 times on the uniform one. Where the table says less, it
  is not reached.
- Nothing of delays under a steady load, nor of a long link between the sites: both ends are on loopback.
- Nothing of other tables: sysbench's are small rows with an integer key and one secondary index. Tables with foreign keys or several unique keys are
  written in order and gain less from folding.
- A skewed backlog changes the same rows again and again, which folding turns into one change each: the ratio there is not that of an
  insert-only load.
- Servers flush as the settings above say; with a flush to disk at each commit the own replica loses more than Holt, which commits far less often.
`;

/** Columns of equal width, as the formatter of the repository wants them. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(3, title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en').replaceAll(',', ' ');
}
