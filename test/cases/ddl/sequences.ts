import type { DdlCase } from './ddl-case.ts';

export const SEQUENCES: readonly DdlCase[] = [
  {
    sql: 'CREATE SEQUENCE s START WITH 1 INCREMENT BY 2',
    servers: 'mariadb',
    reading: { kind: 'sequence', changes: ['shop.s'], reads: [] },
    plain: { sql: 'CREATE SEQUENCE s START WITH 1 INCREMENT BY 2' },
    renamed: { sql: 'CREATE SEQUENCE s START WITH 1 INCREMENT BY 2' },
    columns: { sql: 'CREATE SEQUENCE s START WITH 1 INCREMENT BY 2' },
  },
  {
    sql: 'CREATE SEQUENCE IF NOT EXISTS s MINVALUE = 1 MAXVALUE = 100 CACHE 10 CYCLE',
    servers: 'mariadb',
    reading: { kind: 'sequence', changes: ['shop.s'], reads: [] },
    plain: { sql: 'CREATE SEQUENCE IF NOT EXISTS s MINVALUE = 1 MAXVALUE = 100 CACHE 10 CYCLE' },
    renamed: { sql: 'CREATE SEQUENCE IF NOT EXISTS s MINVALUE = 1 MAXVALUE = 100 CACHE 10 CYCLE' },
    columns: { sql: 'CREATE SEQUENCE IF NOT EXISTS s MINVALUE = 1 MAXVALUE = 100 CACHE 10 CYCLE' },
  },
  {
    sql: 'ALTER SEQUENCE s RESTART 5',
    servers: 'none',
    reading: { kind: 'sequence', changes: ['shop.s'], reads: [] },
    plain: { sql: 'ALTER SEQUENCE s RESTART 5' },
    renamed: { sql: 'ALTER SEQUENCE s RESTART 5' },
    columns: { sql: 'ALTER SEQUENCE s RESTART 5' },
  },
  {
    sql: 'DROP SEQUENCE IF EXISTS s',
    servers: 'mariadb',
    reading: { kind: 'sequence', changes: ['shop.s'], reads: [] },
    plain: { sql: 'DROP SEQUENCE IF EXISTS s' },
    renamed: { sql: 'DROP SEQUENCE IF EXISTS s' },
    columns: { sql: 'DROP SEQUENCE IF EXISTS s' },
  },
];
