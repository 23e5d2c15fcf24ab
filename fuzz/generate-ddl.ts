/** Changes of a table between transactions. The plan takes part in them, so that what follows uses the new columns. */
import type { Random } from '../test/support/random.ts';
import { type DdlStep, type PairName, quoted } from './case.ts';
import { typesOf } from './column-types.ts';
import type { TablePlan } from './key-shapes.ts';

export const DDL_OPERATIONS = [
  'add column',
  'add column of now',
  'drop column',
  'change column',
  'move column',
  'add index',
  'truncate',
] as const;

/** Null where the table has nothing that could be changed so. */
export function ddlStep(random: Random, plan: TablePlan, pair: PairName, number: number): DdlStep | null {
  const { spec } = plan;
  const op = random.pick(DDL_OPERATIONS);
  const alter = (sql: string, needs: readonly string[]): DdlStep => ({
    kind: 'ddl',
    op,
    table: spec.name,
    sql: `ALTER TABLE ${quoted(spec.name)} ${sql}`,
    needs,
  });
  const plain = spec.columns.filter(({ name }) => /^[ca]\d+$/.test(name));
  switch (op) {
    case 'add column': {
      const type = random.pick(typesOf(pair));
      const name = `a${number}`;
      const after = random.pick(spec.columns);
      const place = random.pick(['', ' FIRST', ` AFTER ${quoted(after.name)}`]);
      plan.spec = { ...spec, columns: [...spec.columns, { name, ddl: type.ddl, family: type.family }] };
      plan.pools.set(name, type.values);
      return alter(
        `ADD COLUMN ${quoted(name)} ${type.ddl}${place}`,
        place.includes('AFTER') ? [after.name] : [],
      );
    }
    case 'add column of now': {
      // Rows that are there get the time of the statement.
      const digits = random.pick(['', '(1)', '(3)', '(6)']);
      const now = `CURRENT_TIMESTAMP${digits}`;
      const ddl = [
        `${random.pick(['TIMESTAMP', 'DATETIME'])}${digits} ${random.pick(['NULL', 'NOT NULL'])} DEFAULT ${now}`,
        ...(random.pick([true, false]) ? [`ON UPDATE ${now}`] : []),
      ].join(' ');
      const name = `a${number}`;
      plan.spec = { ...spec, columns: [...spec.columns, { name, ddl, family: 'timestamp' }] };
      plan.pools.set(name, ["'2020-01-01 00:00:00.000001'", "'2037-12-31 23:59:59.999999'", 'DEFAULT']);
      return alter(`ADD COLUMN ${quoted(name)} ${ddl}`, []);
    }
    case 'drop column': {
      if (plain.length === 0) return null;
      const { name } = random.pick(plain);
      plan.spec = { ...spec, columns: spec.columns.filter((one) => one.name !== name) };
      return alter(`DROP COLUMN ${quoted(name)}`, [name]);
    }
    case 'change column': {
      const wider = spec.columns.find(({ name, ddl }) => name === 'n' && ddl.startsWith('INT'));
      return wider === undefined ? null : alter('MODIFY COLUMN `n` BIGINT NULL', ['n']);
    }
    case 'move column': {
      if (plain.length === 0) return null;
      const column = random.pick(plain);
      return alter(`MODIFY COLUMN ${quoted(column.name)} ${column.ddl} FIRST`, [column.name]);
    }
    case 'add index':
      return alter(`ADD INDEX ${quoted(`i${number}`)} (\`n\`)`, ['n']);
    case 'truncate':
      // Refused where a foreign key points to the table.
      return { kind: 'ddl', op, table: spec.name, sql: `TRUNCATE TABLE ${quoted(spec.name)}`, needs: [] };
    default:
      return op satisfies never;
  }
}
