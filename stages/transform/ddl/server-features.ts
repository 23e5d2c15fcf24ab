/**
 * What only some servers take, and since when: a statement that uses it is refused for a target that does not, with the reason in
 * one line, before the target answers something less clear or, worse, does something else in silence.
 *
 * Versions by the servers' own manuals (https://dev.mysql.com/doc/, https://mariadb.com/kb/en/).
 */
import type { SqlServer } from '../../../model/ddl-kind.ts';
import type { Feature } from './ddl.ts';

/** First version that has it; absent for never. */
interface Since {
  readonly mysql?: number;
  readonly mariadb?: number;
}

const FEATURES = {
  'a functional key part': { mysql: 80_013 },
  'an invisible index': { mysql: 80_000 },
  'an ignored index': { mariadb: 100_600 },
  'an invisible column': { mysql: 80_023, mariadb: 100_300 },
  'VISIBLE for a column': { mysql: 80_023 },
  'ENFORCED of a constraint': { mysql: 80_016 },
  'a CHECK constraint': { mysql: 80_016, mariadb: 100_201 },
  'an expression as DEFAULT': { mysql: 80_013, mariadb: 100_201 },
  'a generated column': { mysql: 50_700, mariadb: 100_000 },
  'PERSISTENT generated columns': { mariadb: 100_000 },
  'the type JSON': { mysql: 50_708, mariadb: 100_207 },
  'the type VECTOR': { mysql: 90_000, mariadb: 110_700 },
  'the type UUID': { mariadb: 100_700 },
  'the type INET6': { mariadb: 100_500 },
  'the type INET4': { mariadb: 101_000 },
  'the type XMLTYPE': { mariadb: 120_300 },
  'a vector index': { mariadb: 110_700 },
  'the attribute SRID': { mysql: 80_000 },
  'the attribute REF_SYSTEM_ID': { mariadb: 100_105 },
  'a compressed column': { mariadb: 100_302 },
  'system versioning or periods': { mariadb: 100_300 },
  'a sequence': { mariadb: 100_300 },
  'OR REPLACE for tables, indexes and databases': { mariadb: 100_008 },
  'IF EXISTS within a change of a table or index': { mariadb: 100_002 },
  'WAIT and NOWAIT': { mariadb: 100_300 },
  'ALTER ONLINE, OFFLINE and IGNORE': { mariadb: 100_000 },
  'RENAME COLUMN': { mysql: 80_000, mariadb: 100_502 },
  'RENAME INDEX': { mysql: 50_700, mariadb: 100_502 },
  'ALGORITHM=INSTANT': { mysql: 80_012, mariadb: 100_300 },
  'ALGORITHM=NOCOPY': { mariadb: 100_300 },
  'ALGORITHM and LOCK behind DROP INDEX': { mysql: 50_600 },
  'EXCHANGE PARTITION without validation': { mysql: 50_705, mariadb: 110_400 },
  'a full-text parser': { mysql: 50_706 },
  'CONVERT PARTITION and CONVERT TABLE': { mariadb: 100_701 },
  'SET STATEMENT': { mariadb: 100_102 },
  'a table option of MySQL': { mysql: 50_600 },
  'a table or column option of MariaDB': { mariadb: 100_000 },
  'a storage engine of MySQL': { mysql: 50_600 },
  'a storage engine of MariaDB': { mariadb: 100_000 },
  'a collation of UCA 9.0.0 (0900)': { mysql: 80_000 },
  'a collation of UCA 14.0.0 (uca1400)': { mariadb: 101_001 },
  'a collation without padding (nopad)': { mariadb: 100_202 },
  'a view with IF NOT EXISTS': { mysql: 90_100, mariadb: 100_100 },
  'options of a database beyond its character set': { mysql: 80_000 },
  'a comment of a database': { mariadb: 100_500 },
  /** Read by the library alone, which does not tell: no other server can be trusted with it. */
  'anything but what both flavours have': {},
} as const satisfies Readonly<Record<string, Since>>;

export type FeatureName = keyof typeof FEATURES;

export function featureOf(name: FeatureName): Feature {
  const since: Since = FEATURES[name];
  return {
    word: name,
    known: (server) => {
      const first = since[server.flavour];
      return first !== undefined && server.version >= first;
    },
    why: `the target has not got ${name}`,
  };
}

/** Engines that both flavours bring. */
const COMMON_ENGINES = new Set(
  'INNODB MYISAM MEMORY HEAP CSV ARCHIVE BLACKHOLE MERGE MRG_MYISAM FEDERATED'.split(' '),
);
const MYSQL_ENGINES = new Set(['NDB', 'NDBCLUSTER', 'EXAMPLE']);

export function engineFeature(engine: string): FeatureName | null {
  const name = engine.toUpperCase();
  if (COMMON_ENGINES.has(name)) return null;
  return MYSQL_ENGINES.has(name) ? 'a storage engine of MySQL' : 'a storage engine of MariaDB';
}

export function collationFeature(collation: string): FeatureName | null {
  const name = collation.toLowerCase();
  if (name.includes('_0900_')) return 'a collation of UCA 9.0.0 (0900)';
  if (name.includes('uca1400')) return 'a collation of UCA 14.0.0 (uca1400)';
  return name.includes('_nopad_') ? 'a collation without padding (nopad)' : null;
}

const TYPES: Readonly<Record<string, FeatureName>> = {
  JSON: 'the type JSON',
  VECTOR: 'the type VECTOR',
  UUID: 'the type UUID',
  INET6: 'the type INET6',
  INET4: 'the type INET4',
  XMLTYPE: 'the type XMLTYPE',
};

export function typeFeature(type: string): FeatureName | null {
  return TYPES[type.toUpperCase()] ?? null;
}

/** True when the target takes everything that the source takes. */
export function takesAll(source: SqlServer, target: SqlServer): boolean {
  return source.flavour === target.flavour && target.version >= source.version;
}
