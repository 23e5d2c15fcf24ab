import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import type { TableShape } from '../../../model/table-shape.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { ParkingBench } from './parked-fixture.ts';

const PLAIN = 'CREATE TABLE %.plain (id INT PRIMARY KEY, v VARCHAR(30)) ENGINE=InnoDB';
const OTHER = 'CREATE TABLE %.other (id INT PRIMARY KEY, v VARCHAR(30)) ENGINE=InnoDB';
const SHOP = [
  'CREATE TABLE %.customer (id INT PRIMARY KEY, v VARCHAR(30)) ENGINE=InnoDB',
  'CREATE TABLE %.orders (id INT PRIMARY KEY, customer INT NOT NULL, v INT, FOREIGN KEY (customer) REFERENCES customer (id)) ENGINE=InnoDB',
  'CREATE TABLE %.item (id INT PRIMARY KEY, orders INT NOT NULL, FOREIGN KEY (orders) REFERENCES orders (id) ON DELETE CASCADE) ENGINE=InnoDB',
];

for (const flavour of ['mariadb', 'mysql'] as const)
  describeWithOwn([flavour], `parked tables (${flavour})`, () => {
    let server: DatabaseServer;
    beforeAll(async () => {
      server = await startDatabase(flavour);
    });
    afterEach(() => {
      vi.unstubAllEnvs();
    });
    afterAll(() => server.stop());

    it('are held while others go on, drained in order, and applied again', async () => {
      await using bench = await ParkingBench.on(server, [PLAIN, OTHER]);
      await bench.take();
      await bench.carry([
        "INSERT INTO %.plain VALUES (1, 'a'), (2, 'b')",
        "INSERT INTO %.other VALUES (1, 'a')",
      ]);
      await bench.park('plain');
      expect(
        await bench.carry(["UPDATE %.plain SET v = 'c' WHERE id = 1", "UPDATE %.other SET v = 'c'"]),
      ).toMatchObject({ kind: 'applied', stats: { rows: 1 } });
      await bench.carry(['DELETE FROM %.plain WHERE id = 2', "INSERT INTO %.plain VALUES (3, 'd')"]);
      await bench.carry(["UPDATE %.plain SET id = 2, v = 'e' WHERE id = 3"]);
      expect((await bench.rows('other')).target).toEqual((await bench.rows('other')).source);
      expect((await bench.rows('plain')).target).toEqual([
        { id: 1, v: 'a' },
        { id: 2, v: 'b' },
      ]);
      expect(await bench.groups()).toMatchObject([
        { root: bench.name('plain'), changes: 4, tables: [{ state: 'parked', by: 'ada', why: 'by test' }] },
      ]);
      // Not before somebody asks for it.
      expect(await bench.drain('plain')).toMatchObject({ kind: 'over' });
      await bench.resume('plain');
      expect(await bench.drain('plain')).toEqual({ kind: 'unparked', done: { changes: 4, ledgered: 0 } });
      const { source, target } = await bench.rows('plain');
      expect(target).toEqual(source);
      expect(await bench.groups()).toEqual([]);
      expect(await bench.heldPieces()).toBe(0);
      expect(await bench.carry(["INSERT INTO %.plain VALUES (9, 'z')"])).toMatchObject({
        kind: 'applied',
        stats: { rows: 1 },
      });
      await expect(bench.resume('plain')).rejects.toMatchObject({ code: 'HOLT_TABLE_NOT_PARKED' });
    });

    it('take what foreign keys join along, in one sequence', async () => {
      await using bench = await ParkingBench.on(server, SHOP);
      await bench.take();
      await bench.carry([
        "INSERT INTO %.customer VALUES (1, 'a'), (2, 'b')",
        'INSERT INTO %.orders VALUES (1, 1, 1), (2, 2, 2)',
        'INSERT INTO %.item VALUES (1, 1), (2, 2)',
      ]);
      await bench.park('orders');
      // A parent goes on while nothing of it goes away; a child waits.
      await bench.carry([
        "UPDATE %.customer SET v = 'c' WHERE id = 1",
        'INSERT INTO %.orders VALUES (3, 1, 3)',
        'INSERT INTO %.item VALUES (3, 3)',
      ]);
      expect(await bench.parked()).toEqual(['orders<orders', 'item<orders']);
      expect((await bench.rows('customer')).target).toEqual((await bench.rows('customer')).source);
      await bench.carry([
        'DELETE FROM %.item WHERE orders = 2',
        'DELETE FROM %.orders WHERE id = 2',
        'DELETE FROM %.customer WHERE id = 2',
        "INSERT INTO %.customer VALUES (4, 'd')",
        'INSERT INTO %.orders VALUES (4, 4, 4)',
        'INSERT INTO %.item VALUES (4, 4)',
      ]);
      expect(await bench.parked()).toEqual(['orders<orders', 'customer<orders', 'item<orders']);
      const waiting = (await bench.groups())[0]?.tables.find(({ name }) => name.table === 'customer');
      expect(waiting?.code).toBe('HOLT_TABLE_PARKED_WITH');
      expect(waiting?.why).toMatch(/of source_\w+\.(?:orders|item), which is parked/);
      // Any of them resumes all of them.
      await bench.resume('item');
      expect(await bench.drain('orders')).toMatchObject({ kind: 'unparked', done: { ledgered: 0 } });
      for (const table of ['customer', 'orders', 'item']) {
        const { source, target } = await bench.rows(table);
        expect(target).toEqual(source);
      }
    });

    it('stay parked with the reason when what is held cannot be applied, and go on after repair', async () => {
      await using bench = await ParkingBench.on(server, [PLAIN, OTHER]);
      await bench.take();
      await bench.park('plain');
      await bench.carry(["INSERT INTO %.plain VALUES (1, 'a')"]);
      await bench.carry(["UPDATE %.plain SET v = 'b'"]);
      await bench.query('ALTER TABLE %.plain DROP COLUMN v');
      await bench.resume('plain');
      expect(await bench.drain('plain')).toMatchObject({
        kind: 'refused',
        error: { code: 'HOLT_TARGET_COLUMN_MISSING' },
      });
      expect(await bench.groups()).toMatchObject([
        { changes: 2, tables: [{ state: 'parked', code: 'HOLT_TARGET_COLUMN_MISSING' }] },
      ]);
      await bench.query('ALTER TABLE %.plain ADD COLUMN v VARCHAR(30)');
      await bench.resume('plain');
      expect(await bench.drain('plain')).toMatchObject({ kind: 'unparked', done: { changes: 2 } });
      const { source, target } = await bench.rows('plain');
      expect(target).toEqual(source);
    });

    it('lose and repeat nothing while they are drained and the pipeline goes on', async () => {
      // Without a key a repeat shows.
      await using bench = await ParkingBench.on(server, ['CREATE TABLE %.log (v INT) ENGINE=InnoDB', OTHER]);
      await bench.take();
      await bench.park('log');
      for (let i = 0; i < 10; i++) await bench.carry([`INSERT INTO %.log VALUES (${i}), (${i})`]);
      await bench.resume('log');
      const draining = Promise.all([bench.drain('log'), bench.drain('log')]);
      for (let i = 10; i < 25; i++)
        expect(await bench.carry([`INSERT INTO %.log VALUES (${i})`])).toMatchObject({ kind: 'applied' });
      const outcomes = await draining;
      // Who unparked it, or who found it done; it may be unparked in the midst of the changes, and not parked again.
      expect(outcomes.some(({ kind }) => kind === 'unparked')).toBe(true);
      const { source, target } = await bench.rows('log');
      expect(target).toEqual(source);
      expect(await bench.groups()).toEqual([]);
    });

    it('are not unparked while Load still appends to what is held', async () => {
      await using bench = await ParkingBench.on(server, ['CREATE TABLE %.log (v INT) ENGINE=InnoDB']);
      await bench.take();
      await bench.park('log');
      await bench.resume('log');
      // While draining is about to unpark, having found nothing, Load stands between appending and COMMIT.
      vi.stubEnv('HOLT_FAILPOINTS', 'drain:unparking=sleep1500@*;parked:held=sleep1900@*');
      const draining = bench.drain('log');
      await waitFor(() => bench.drainerIsThere(), {
        timeoutMs: 60_000,
        what: 'the drainer to be registered',
      });
      expect(await bench.carry(['INSERT INTO %.log VALUES (1)'])).toMatchObject({ kind: 'applied' });
      expect(await draining).toMatchObject({ kind: 'unparked' });
      const { source, target } = await bench.rows('log');
      expect(target).toEqual(source);
      expect(await bench.heldPieces()).toBe(0);
    });

    it('are parked by the pipeline where its policy says so, with what the batch brings', async () => {
      await using bench = await ParkingBench.on(server, [PLAIN, OTHER]);
      await bench.query('DROP TABLE %.plain');
      await bench.take('park');
      expect(
        await bench.carry(["INSERT INTO %.plain VALUES (1, 'a')", "INSERT INTO %.other VALUES (1, 'a')"]),
      ).toMatchObject({ kind: 'applied', stats: { rows: 1 } });
      expect(await bench.groups()).toMatchObject([
        { changes: 1, tables: [{ code: 'HOLT_TARGET_TABLE_MISSING', by: 'holt' }] },
      ]);
      await bench.query('CREATE TABLE %.plain (id INT PRIMARY KEY, v VARCHAR(2)) ENGINE=InnoDB');
      await bench.resume('plain');
      expect(await bench.drain('plain')).toMatchObject({ kind: 'unparked' });
      // A value that does not fit is found by the statement only.
      expect(
        await bench.carry(["UPDATE %.plain SET v = 'long' WHERE id = 1", "UPDATE %.other SET v = 'b'"]),
      ).toMatchObject({ kind: 'applied', stats: { rows: 1 } });
      expect(await bench.groups()).toMatchObject([
        { changes: 1, tables: [{ code: 'HOLT_TARGET_VALUE_REFUSED' }] },
      ]);
      await bench.query('ALTER TABLE %.plain MODIFY v VARCHAR(30)');
      await bench.resume('plain');
      expect(await bench.drain('plain')).toMatchObject({ kind: 'unparked' });
      const { source, target } = await bench.rows('plain');
      expect(target).toEqual(source);
    });

    it('that cannot be decoded are quarantined with the reason, and drained once their columns are known', async () => {
      await using bench = await ParkingBench.on(server, [
        "CREATE TABLE %.plain (id INT UNSIGNED PRIMARY KEY, v VARCHAR(30), e ENUM('x', 'y'), n DECIMAL(10,2)) ENGINE=InnoDB",
        OTHER,
      ]);
      await bench.take();
      const spoil = (shape: TableShape): TableShape =>
        shape.table !== 'plain'
          ? shape
          : {
              ...shape,
              columns: shape.columns.map((column, i) => ({
                ...column,
                name: `@${i + 1}`,
                unsigned: false,
                collation: 0,
                declared: null,
              })),
              key: [],
              hasPrimaryKey: false,
              fault: { code: 'HOLT_SCHEMA_MISMATCH', why: 'altered since', knowsUnsigned: false },
            };
      const changes = [
        "INSERT INTO %.plain VALUES (4294967295, 'ä', 'y', 1.25), (2, 'b', NULL, NULL)",
        "INSERT INTO %.other VALUES (1, 'a')",
        "UPDATE %.plain SET v = 'c', n = -7 WHERE id = 2",
      ];
      expect(await bench.carry(changes, spoil)).toMatchObject({ kind: 'applied', stats: { rows: 1 } });
      expect(await bench.groups()).toMatchObject([
        { changes: 3, tables: [{ code: 'HOLT_SCHEMA_MISMATCH', why: 'altered since', by: 'holt' }] },
      ]);
      // Good rows behind those that are not wait for them.
      await bench.carry(['DELETE FROM %.plain WHERE id = 4294967295']);
      expect((await bench.rows('plain')).target).toEqual([]);
      await bench.resume('plain');
      expect(await bench.drain('plain')).toMatchObject({
        kind: 'refused',
        error: { code: 'HOLT_TABLE_UNREPAIRED' },
      });
      const facts = await bench.facts('plain');
      const narrower = { ...facts, columns: facts.columns.slice(1) };
      await bench.resume('plain');
      expect(await bench.drain('plain', { definitions: [narrower] })).toMatchObject({ kind: 'refused' });
      await bench.resume('plain');
      expect(await bench.drain('plain', { definitions: [narrower, facts] })).toMatchObject({
        kind: 'unparked',
        done: { changes: 4, ledgered: 0 },
      });
      const { source, target } = await bench.rows('plain');
      expect(target).toEqual(source);
    });

    it('stop the pipeline where its policy says so', async () => {
      await using bench = await ParkingBench.on(server, [PLAIN]);
      await bench.query('ALTER TABLE %.plain MODIFY v VARCHAR(1)');
      await bench.take('stop');
      const stop = new AbortController();
      const loading = bench.carry(["INSERT INTO %.plain VALUES (1, 'long')"], undefined, stop.signal);
      loading.catch(() => {});
      await waitFor(() => bench.blockedBy.length > 3, { timeoutMs: 60_000, what: 'blocked again and again' });
      expect(new Set(bench.blockedBy)).toEqual(new Set(['HOLT_TARGET_VALUE_REFUSED']));
      expect(await bench.groups()).toEqual([]);
      stop.abort(new Error('enough'));
      await expect(loading).rejects.toThrow('enough');
      expect((await bench.rows('plain')).target).toEqual([]);
    });
  });
