import { describe, expect, it } from 'vitest';
import type { SourceStatement } from '../../../../model/source-item.ts';
import { OnlineSchemaChanges, type OnlineVerdict } from '../../../../stages/select/online-schema-change.ts';
import { TableFilter } from '../../../../stages/select/table-filter.ts';

const tables = new TableFilter({ include: ['shop.t', 'shop.orders'], exclude: [] }, { caseSensitive: true });

function statement(sql: string, facts: Partial<SourceStatement> = {}): SourceStatement {
  return {
    schema: '',
    sql: Buffer.from(sql),
    threadId: 7,
    nature: 'ddl',
    sqlMode: 0n,
    charset: 45,
    ...facts,
  };
}

function changes(state: string | null = null): OnlineSchemaChanges {
  return new OnlineSchemaChanges({ tables, server: { flavour: 'mysql', version: 80_036 }, state });
}

function shown(verdict: OnlineVerdict): string {
  switch (verdict.kind) {
    case 'becomes':
      return verdict.statement.sql.toString();
    case 'refused':
      return `${verdict.code}: ${verdict.why}`;
    default:
      return verdict.kind;
  }
}

/** Each statement with its verdict; the state goes through its text between any two, as over a restart. */
function run(sqls: readonly string[], restarts = true): { verdicts: string[]; last: OnlineSchemaChanges } {
  let one = changes();
  const verdicts = sqls.map((sql) => {
    if (restarts) one = changes(one.state);
    return shown(one.take(statement(sql)));
  });
  return { verdicts, last: one };
}

const GHOST = [
  'drop /* gh-ost */ table if exists `shop`.`_t_ghc`',
  'create /* gh-ost */ table `shop`.`_t_ghc` (\n\t\t\tid bigint unsigned auto_increment,\n\t\t\tlast_update timestamp not null DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,\n\t\t\thint varchar(64) charset ascii not null,\n\t\t\tvalue varchar(4096) charset ascii not null,\n\t\t\tprimary key(id),\n\t\t\tunique key hint_uidx(hint)\n\t\t) auto_increment=256 ',
  'create /* gh-ost */ table `shop`.`_t_gho` like `shop`.`t`',
  'alter /* gh-ost */ table `shop`.`_t_gho` add column c int not null default 7, add key (c)',
];
const CUT_OVER = [
  "create /* gh-ost */ table `shop`.`_t_del` (\n\t\t\tid int auto_increment primary key\n\t\t) engine=InnoDB comment='ghost-cut-over-sentry'",
  'drop /* gh-ost */ table if exists `shop`.`_t_del`',
  'rename /* gh-ost */ table `shop`.`t` to `shop`.`_t_del`, `shop`.`_t_gho` to `shop`.`t`',
  'drop /* gh-ost */ table if exists `shop`.`_t_ghc`',
  'drop /* gh-ost */ table if exists `shop`.`_t_del`',
];

describe('gh-ost', () => {
  it('becomes one ALTER of its table', () => {
    const { verdicts, last } = run([...GHOST, ...CUT_OVER]);
    expect(verdicts).toEqual([
      'ordinary',
      'passed',
      'passed',
      'passed',
      'passed',
      'passed',
      'alter /* gh-ost */ table `shop`.`t` add column c int not null default 7, add key (c)',
      'passed',
      'passed',
    ]);
    expect(last.state).toBeNull();
  });

  it('has an ALTER that means what the session of the ghost made of it', () => {
    const one = changes();
    for (const sql of GHOST.slice(0, 3)) one.take(statement(sql));
    const facts = { sqlMode: 0x400000n, charset: 8, session: { timeZone: 'SYSTEM', flags: 0 } };
    one.take(statement(GHOST[3] ?? '', facts));
    const verdict = changes(one.state).take(statement(CUT_OVER[2] ?? ''));
    expect(verdict).toMatchObject({ kind: 'becomes', statement: facts });
  });

  it('joins the AUTO_INCREMENT that gh-ost sets by itself', () => {
    const auto = 'alter /* gh-ost */ table `shop`.`_t_gho` AUTO_INCREMENT=1000';
    const { verdicts } = run([...GHOST, auto, CUT_OVER[2] ?? '']);
    expect(verdicts.at(-1)).toBe(
      'alter /* gh-ost */ table `shop`.`t` add column c int not null default 7, add key (c), AUTO_INCREMENT=1000',
    );
  });

  it('is exchanged in two steps', () => {
    const steps = [
      'alter /* gh-ost */ table `shop`.`t` rename `_t_del`',
      'alter /* gh-ost */ table `shop`.`_t_gho` rename `t`',
    ];
    const one = changes();
    for (const sql of GHOST) one.take(statement(sql));
    const inShop = steps.map((sql) => shown(one.take(statement(sql, { schema: 'shop' }))));
    expect(inShop).toEqual([
      'passed',
      'alter /* gh-ost */ table `shop`.`t` add column c int not null default 7, add key (c)',
    ]);
  });

  it('leaves nothing of a run that was given up', () => {
    const { verdicts, last } = run([
      ...GHOST,
      'drop /* gh-ost */ table if exists `shop`.`_t_gho`',
      'drop /* gh-ost */ table if exists `shop`.`_t_ghc`',
    ]);
    expect(verdicts.slice(-2)).toEqual(['passed', 'passed']);
    expect(last.state).toBeNull();
    expect(last.rowsOf('shop', '_t_gho')).toBe('carried');
  });

  it('begins anew after a run that died', () => {
    const second = [
      'drop /* gh-ost */ table if exists `shop`.`_t_gho`',
      'create /* gh-ost */ table `shop`.`_t_gho` like `shop`.`t`',
      'alter /* gh-ost */ table `shop`.`_t_gho` drop column b',
    ];
    const { verdicts } = run([...GHOST, ...second, CUT_OVER[2] ?? '']);
    expect(verdicts.at(-1)).toBe('alter /* gh-ost */ table `shop`.`t` drop column b');
  });

  it('keeps the old table with a time in its name out of what is carried', () => {
    const one = changes();
    for (const sql of [...GHOST, 'drop table shop._t_ghc']) one.take(statement(sql));
    const verdict = one.take(
      statement('rename table `shop`.`t` to `shop`.`_t_20240102030405_del`, `shop`.`_t_gho` to `shop`.`t`'),
    );
    expect(verdict.kind).toBe('becomes');
    expect(one.rowsOf('shop', '_t_20240102030405_del')).toBe('ghost');
    expect(shown(one.take(statement('truncate table shop._t_20240102030405_del')))).toBe('passed');
    expect(shown(one.take(statement('drop table shop._t_20240102030405_del')))).toBe('passed');
    expect(one.state).toBeNull();
  });

  it('lets go of the name of an old table that somebody gives to another', () => {
    const one = changes();
    for (const sql of [...GHOST, CUT_OVER[2] ?? '']) one.take(statement(sql));
    expect(one.rowsOf('shop', '_t_del')).toBe('ghost');
    expect(shown(one.take(statement('create table if not exists shop._t_del (a int)')))).toBe('passed');
    expect(shown(one.take(statement('create table shop._t_del (a int)')))).toBe('ordinary');
    expect(one.rowsOf('shop', '_t_del')).toBe('carried');
  });

  it('is refused where its beginning was not read', () => {
    const { verdicts } = run([CUT_OVER[2] ?? '']);
    expect(verdicts[0]).toMatch(/^HOLT_DDL_ONLINE_CHANGE_UNSEEN: .*shop\.t/);
  });

  it('does not concern whoever carries other tables', () => {
    const { verdicts } = run([
      'create table `shop`.`_u_gho` like `shop`.`u`',
      'alter table shop._u_gho add c int',
    ]);
    expect(verdicts).toEqual(['ordinary', 'ordinary']);
  });
});

const PERCONA = [
  'CREATE TABLE `shop`.`_t_new` (\n  `id` int NOT NULL,\n  `b` varchar(10) DEFAULT NULL,\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4',
  'ALTER TABLE `shop`.`_t_new` ADD COLUMN c INT, MODIFY b TEXT',
];
const TRIGGER =
  'CREATE DEFINER=`root`@`localhost` TRIGGER `pt_osc_shop_t_del` AFTER DELETE ON `shop`.`t` FOR EACH ROW BEGIN DECLARE CONTINUE HANDLER FOR 1146 begin end; DELETE IGNORE FROM `shop`.`_t_new` WHERE `shop`.`_t_new`.`id` <=> OLD.`id`; END ';
const SWAP = 'RENAME TABLE `shop`.`t` TO `shop`.`_t_old`, `shop`.`_t_new` TO `shop`.`t`';

describe('pt-online-schema-change', () => {
  it('becomes one ALTER of its table', () => {
    const { verdicts, last } = run(
      [
        ...PERCONA,
        TRIGGER,
        'ANALYZE TABLE `shop`.`_t_new` /* pt-online-schema-change */',
        SWAP,
        'DROP TABLE IF EXISTS `_t_old` /* generated by server */',
      ].slice(0, 5),
    );
    expect(verdicts).toEqual([
      'passed',
      'passed',
      'ordinary',
      'ordinary',
      'ALTER TABLE `shop`.`t` ADD COLUMN c INT, MODIFY b TEXT',
    ]);
    const drop = statement('DROP TABLE IF EXISTS `_t_old` /* generated by server */', { schema: 'shop' });
    expect(shown(last.take(drop))).toBe('passed');
    expect(last.state).toBeNull();
  });

  it("does not carry the ghost's rows once there are triggers, and does not know before", () => {
    const one = changes();
    expect(one.rowsOf('shop', '_t_new')).toBe('carried');
    for (const sql of PERCONA) one.take(statement(sql));
    expect(one.rowsOf('shop', '_t_new')).toBe('unclear');
    one.take(statement(TRIGGER));
    expect(one.rowsOf('shop', '_t_new')).toBe('ghost');
    expect(one.rowsOf('shop', 't')).toBe('carried');
  });

  it('is not seen in a table that somebody made by hand', () => {
    const { verdicts } = run([
      'CREATE TABLE shop._t_new LIKE shop.t',
      'CREATE TABLE shop._t_new (id INT PRIMARY KEY)',
      'ALTER TABLE shop._t_new ADD c INT',
    ]);
    expect(verdicts).toEqual(['ordinary', 'ordinary', 'ordinary']);
  });

  it('is refused where it is unclear what it comes to', () => {
    expect(run([...PERCONA, SWAP]).verdicts.at(-1)).toMatch(/UNCLEAR: .*without its triggers/);
    const withKey = PERCONA[0]?.replace(
      'PRIMARY KEY (`id`)',
      'PRIMARY KEY (`id`), CONSTRAINT `_fk` FOREIGN KEY (`id`) REFERENCES `p` (`id`)',
    );
    expect(run([withKey ?? '', PERCONA[1] ?? '', TRIGGER, SWAP]).verdicts.at(-1)).toMatch(
      /UNCLEAR: .*foreign keys/,
    );
    expect(run([...PERCONA, TRIGGER, 'DROP TABLE IF EXISTS `shop`.`t`']).verdicts.at(-1)).toMatch(
      /UNCLEAR: .*midst/,
    );
    expect(run([...PERCONA, TRIGGER, 'RENAME TABLE shop._t_new TO shop.other']).verdicts.at(-1)).toMatch(
      /UNCLEAR: .*becomes something else/,
    );
    expect(run([SWAP]).verdicts).toEqual([expect.stringMatching(/^HOLT_DDL_ONLINE_CHANGE_UNSEEN/)]);
  });

  it('leaves nothing of a run that was given up', () => {
    const { last } = run([...PERCONA, TRIGGER, 'DROP TABLE IF EXISTS `shop`.`_t_new`']);
    expect(last.state).toBeNull();
  });

  it('joins ALTERs that are about different columns only', () => {
    const more = 'ALTER TABLE `shop`.`_t_new` ADD KEY k (d)';
    expect(run([...PERCONA, more, TRIGGER, SWAP]).verdicts.at(-1)).toBe(
      'ALTER TABLE `shop`.`t` ADD COLUMN c INT, MODIFY b TEXT, ADD KEY k (d)',
    );
    const same = 'ALTER TABLE `shop`.`_t_new` ADD KEY k (c)';
    expect(run([...PERCONA, same, TRIGGER, SWAP]).verdicts.at(-1)).toMatch(/UNCLEAR: .*the column c/);
  });
});

describe('the state of online schema changes', () => {
  it('is nothing that can be misread', () => {
    expect(changes('no JSON').state).toBeNull();
    expect(changes('{"version":2}').state).toBeNull();
  });

  it('holds several runs at once', () => {
    const other = GHOST.map((sql) =>
      sql.replaceAll('_t_gh', '_orders_gh').replace('`shop`.`t`', '`shop`.`orders`'),
    );
    const { verdicts, last } = run([...GHOST, ...other, CUT_OVER[2] ?? '']);
    expect(verdicts.at(-1)).toBe(
      'alter /* gh-ost */ table `shop`.`t` add column c int not null default 7, add key (c)',
    );
    expect(last.rowsOf('shop', '_orders_gho')).toBe('ghost');
  });
});
