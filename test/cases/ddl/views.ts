import type { DdlCase } from './ddl-case.ts';

export const VIEWS: readonly DdlCase[] = [
  {
    sql: 'CREATE VIEW w AS SELECT 1 AS one',
    servers: 'both',
    reading: { kind: 'create-view', changes: ['shop.w'], reads: [] },
    plain: { sql: 'CREATE VIEW w AS SELECT 1 AS one' },
    renamed: { sql: 'CREATE VIEW w AS SELECT 1 AS one' },
    columns: { sql: 'CREATE VIEW w AS SELECT 1 AS one' },
  },
  {
    sql: 'CREATE VIEW w AS SELECT id, b FROM u',
    servers: 'both',
    reading: { kind: 'create-view', changes: ['shop.w'], reads: ['shop.u'] },
    plain: { sql: 'CREATE VIEW w AS SELECT id, b FROM u' },
    renamed: { sql: 'CREATE VIEW w AS SELECT id, b FROM u' },
    columns: { sql: 'CREATE VIEW w AS SELECT id, b FROM u' },
  },
  {
    sql: 'CREATE ALGORITHM=UNDEFINED DEFINER=`root`@`localhost` SQL SECURITY DEFINER VIEW `w` AS select `u`.`id` AS `id` from `u`',
    servers: 'both',
    reading: { kind: 'create-view', changes: ['shop.w'], reads: ['shop.u'] },
    plain: {
      sql: 'CREATE ALGORITHM=UNDEFINED DEFINER=`root`@`localhost` SQL SECURITY DEFINER VIEW `w` AS select `u`.`id` AS `id` from `u`',
    },
    renamed: {
      sql: 'CREATE ALGORITHM=UNDEFINED DEFINER=`root`@`localhost` SQL SECURITY DEFINER VIEW `w` AS select `u`.`id` AS `id` from `u`',
    },
    columns: {
      sql: 'CREATE ALGORITHM=UNDEFINED DEFINER=`root`@`localhost` SQL SECURITY DEFINER VIEW `w` AS select `u`.`id` AS `id` from `u`',
    },
  },
  {
    sql: 'CREATE OR REPLACE VIEW w (x, y) AS SELECT id, b FROM shop.u WHERE id > 1 WITH CHECK OPTION',
    servers: 'both',
    reading: { kind: 'create-view', changes: ['shop.w'], reads: ['shop.u'] },
    plain: {
      sql: 'CREATE OR REPLACE VIEW w (x, y) AS SELECT id, b FROM shop.u WHERE id > 1 WITH CHECK OPTION',
    },
    renamed: {
      sql: 'CREATE OR REPLACE VIEW w (x, y) AS SELECT id, b FROM `store`.u WHERE id > 1 WITH CHECK OPTION',
    },
    columns: {
      sql: 'CREATE OR REPLACE VIEW w (x, y) AS SELECT id, b FROM shop.u WHERE id > 1 WITH CHECK OPTION',
    },
  },
  {
    sql: 'CREATE VIEW w AS SELECT t.id FROM t JOIN u ON t.id = u.id',
    servers: 'both',
    reading: { kind: 'create-view', changes: ['shop.w'], reads: ['shop.t', 'shop.u'] },
    plain: { sql: 'CREATE VIEW w AS SELECT t.id FROM t JOIN u ON t.id = u.id' },
    renamed: { sql: 'CREATE VIEW w AS SELECT t.id FROM `goods` AS `t` JOIN u ON t.id = u.id' },
    columns: { code: 'HOLT_DDL_UNMAPPABLE' },
  },
  {
    sql: 'CREATE VIEW w AS SELECT q.id FROM t AS q JOIN shop.child ON q.id = child.id',
    servers: 'both',
    reading: { kind: 'create-view', changes: ['shop.w'], reads: ['shop.t', 'shop.child'] },
    plain: { sql: 'CREATE VIEW w AS SELECT q.id FROM t AS q JOIN shop.child ON q.id = child.id' },
    renamed: {
      sql: 'CREATE VIEW w AS SELECT q.id FROM `goods` AS q JOIN `arch``ive`.`kid` AS `child` ON q.id = child.id',
    },
    columns: { code: 'HOLT_DDL_UNMAPPABLE' },
  },
  {
    sql: 'CREATE VIEW w AS SELECT id FROM u WHERE EXISTS (SELECT 1 FROM parent WHERE parent.id = u.id)',
    servers: 'both',
    reading: { kind: 'create-view', changes: ['shop.w'], reads: ['shop.u', 'shop.parent'] },
    plain: {
      sql: 'CREATE VIEW w AS SELECT id FROM u WHERE EXISTS (SELECT 1 FROM parent WHERE parent.id = u.id)',
    },
    renamed: {
      sql: 'CREATE VIEW w AS SELECT id FROM u WHERE EXISTS (SELECT 1 FROM parent WHERE parent.id = u.id)',
    },
    columns: {
      sql: 'CREATE VIEW w AS SELECT id FROM u WHERE EXISTS (SELECT 1 FROM parent WHERE parent.id = u.id)',
    },
  },
  {
    sql: 'CREATE VIEW w AS SELECT * FROM t',
    servers: 'both',
    reading: { kind: 'create-view', changes: ['shop.w'], reads: ['shop.t'] },
    plain: { sql: 'CREATE VIEW w AS SELECT * FROM t' },
    renamed: { sql: 'CREATE VIEW w AS SELECT * FROM `goods` AS `t`' },
    columns: { code: 'HOLT_DDL_UNMAPPABLE' },
  },
  {
    sql: 'ALTER VIEW v AS SELECT id FROM u',
    servers: 'both',
    reading: { kind: 'alter-view', changes: ['shop.v'], reads: ['shop.u'] },
    plain: { sql: 'ALTER VIEW v AS SELECT id FROM u' },
    renamed: { sql: 'ALTER VIEW v AS SELECT id FROM u' },
    columns: { sql: 'ALTER VIEW v AS SELECT id FROM u' },
  },
  {
    sql: 'ALTER ALGORITHM=MERGE VIEW v AS SELECT id FROM px',
    servers: 'both',
    reading: { kind: 'alter-view', changes: ['shop.v'], reads: ['shop.px'] },
    plain: { sql: 'ALTER ALGORITHM=MERGE VIEW v AS SELECT id FROM px' },
    renamed: { sql: 'ALTER ALGORITHM=MERGE VIEW v AS SELECT id FROM px' },
    columns: { sql: 'ALTER ALGORITHM=MERGE VIEW v AS SELECT id FROM px' },
  },
  {
    sql: 'DROP VIEW v',
    servers: 'both',
    reading: { kind: 'drop-view', changes: ['shop.v'], reads: [] },
    plain: { sql: 'DROP VIEW v' },
    renamed: { sql: 'DROP VIEW v' },
    columns: { sql: 'DROP VIEW v' },
  },
  {
    sql: 'DROP VIEW IF EXISTS v, v2',
    servers: 'both',
    reading: { kind: 'drop-view', changes: ['shop.v', 'shop.v2'], reads: [] },
    plain: { sql: 'DROP VIEW IF EXISTS v, v2' },
    renamed: { sql: 'DROP VIEW IF EXISTS v, v2' },
    columns: { sql: 'DROP VIEW IF EXISTS v, v2' },
  },
  {
    sql: 'DROP VIEW v, crm.v9',
    servers: 'none',
    reading: { kind: 'drop-view', changes: ['shop.v', 'crm.v9'], reads: [] },
    plain: { sql: 'DROP VIEW v' },
    renamed: { sql: 'DROP VIEW v' },
    columns: { sql: 'DROP VIEW v' },
  },
  {
    sql: 'CREATE VIEW crm.w AS SELECT 1',
    servers: 'both',
    reading: { kind: 'create-view', changes: ['crm.w'], reads: [] },
    plain: 'nothing',
    renamed: 'nothing',
    columns: 'nothing',
  },
  {
    sql: 'CREATE VIEW w AS WITH c AS (SELECT id FROM u) SELECT * FROM c',
    servers: 'both',
    reading: { kind: 'create-view', changes: ['shop.w'], reads: null },
    plain: { sql: 'CREATE VIEW w AS WITH c AS (SELECT id FROM u) SELECT * FROM c' },
    renamed: { code: 'HOLT_DDL_UNMAPPABLE' },
    columns: { code: 'HOLT_DDL_UNMAPPABLE' },
  },
  {
    sql: 'CREATE VIEW w AS SELECT shop.t.id FROM shop.t',
    servers: 'both',
    reading: { kind: 'create-view', changes: ['shop.w'], reads: null },
    plain: { sql: 'CREATE VIEW w AS SELECT shop.t.id FROM shop.t' },
    renamed: { code: 'HOLT_DDL_UNMAPPABLE' },
    columns: { code: 'HOLT_DDL_UNMAPPABLE' },
  },
  {
    sql: 'CREATE VIEW w AS SELECT id FROM u UNION SELECT id FROM px ORDER BY id LIMIT 5',
    servers: 'both',
    reading: { kind: 'create-view', changes: ['shop.w'], reads: ['shop.u', 'shop.px'] },
    plain: { sql: 'CREATE VIEW w AS SELECT id FROM u UNION SELECT id FROM px ORDER BY id LIMIT 5' },
    renamed: { sql: 'CREATE VIEW w AS SELECT id FROM u UNION SELECT id FROM px ORDER BY id LIMIT 5' },
    columns: { sql: 'CREATE VIEW w AS SELECT id FROM u UNION SELECT id FROM px ORDER BY id LIMIT 5' },
  },
  {
    sql: 'CREATE VIEW w AS SELECT COUNT(*) AS c, MAX(id) AS m FROM u GROUP BY b HAVING COUNT(*) > 1',
    servers: 'both',
    reading: { kind: 'create-view', changes: ['shop.w'], reads: ['shop.u'] },
    plain: {
      sql: 'CREATE VIEW w AS SELECT COUNT(*) AS c, MAX(id) AS m FROM u GROUP BY b HAVING COUNT(*) > 1',
    },
    renamed: {
      sql: 'CREATE VIEW w AS SELECT COUNT(*) AS c, MAX(id) AS m FROM u GROUP BY b HAVING COUNT(*) > 1',
    },
    columns: {
      sql: 'CREATE VIEW w AS SELECT COUNT(*) AS c, MAX(id) AS m FROM u GROUP BY b HAVING COUNT(*) > 1',
    },
  },
];
