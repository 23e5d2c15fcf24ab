import { afterAll, beforeAll, expect, it } from 'vitest';
import type { DatabaseFlavour } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { Dice } from '../../support/dice.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { batchOf, loggedTransactions } from './logged-transactions.ts';
import { createTables, runWorkload, TABLES } from './random-workload.ts';
import { hexRows, TargetHarness } from './target-harness.ts';

const TRANSACTIONS = 1200;
const SEED = Number(process.env.HOLT_TEST_SEED ?? 20_261_121);

const CASES: readonly {
  readonly flavour: DatabaseFlavour;
  readonly image: string;
  readonly detect: boolean;
  readonly rowEvents?: boolean;
}[] = [
  { flavour: 'mariadb', image: 'FULL', detect: false },
  { flavour: 'mariadb', image: 'FULL', detect: false, rowEvents: true },
  { flavour: 'mariadb', image: 'MINIMAL', detect: false },
  { flavour: 'mariadb', image: 'FULL', detect: true },
  { flavour: 'mysql', image: 'FULL', detect: false },
  { flavour: 'mysql', image: 'FULL', detect: false, rowEvents: true },
  { flavour: 'mysql', image: 'NOBLOB', detect: false, rowEvents: true },
  { flavour: 'mysql', image: 'MINIMAL', detect: false },
  { flavour: 'mysql', image: 'NOBLOB', detect: true },
  { flavour: 'mysql56', image: 'FULL', detect: false },
  { flavour: 'mysql56', image: 'MINIMAL', detect: true },
];

for (const flavour of ['mariadb', 'mysql', 'mysql56'] as const)
  describeWithOwn([flavour], `random transactions (${flavour})`, () => {
    let server: DatabaseServer;
    beforeAll(async () => {
      server = await startDatabase(flavour);
    });
    afterAll(() => server?.dispose());

    for (const { image, detect, rowEvents = false } of CASES.filter((one) => one.flavour === flavour))
      it(`leave the target like the source, with ${image} images${detect ? ', compared under lock' : ''}${rowEvents ? ', rows as events' : ''}`, async () => {
        const dice = new Dice(SEED);
        const from = await server.db.freshSchema('src');
        const to = await server.db.freshSchema('dst');
        await createTables(server.db, from);
        await createTables(server.db, to);
        await runWorkload(server.db, from, dice, TRANSACTIONS, [`SET SESSION binlog_row_image = '${image}'`]);
        const transactions = await loggedTransactions(server, from);
        expect(transactions.length).toBeGreaterThan(TRANSACTIONS / 2);

        await using harness = await TargetHarness.on(server.db, {
          conflict: { detect, winner: 'east' as never },
          maxStatementBytes: 20_000,
          rowEvents,
        });
        const sizes = [1, 2, 5, 20, 100, 300];
        for (let at = 0; at < transactions.length; ) {
          const size = dice.of(sizes);
          await harness.apply(batchOf(transactions.slice(at, at + size), to));
          at += size;
        }
        for (const table of Object.keys(TABLES))
          expect(await hexRows(server.db, to, table), table).toEqual(await hexRows(server.db, from, table));
        expect(
          harness.ledger.map(({ kind, route, rowKey, found }) => ({
            kind,
            table: route.name,
            rowKey,
            found,
          })),
        ).toEqual([]);
        // Where rows are compared first, tables that cannot be folded go the careful way.
        expect(harness.eventStatements > 100).toBe(rowEvents);
        if (!detect) expect(harness.divergences).toEqual([]);
      });
  });
