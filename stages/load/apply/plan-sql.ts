import { isLoose, type TablePlan, type WrittenColumn } from './table-plan.ts';
import type { TargetTraits } from './target-table.ts';

/** The fixed parts of a plan's statements, as bytes. */
export interface PlanSql {
  /** `INSERT INTO … (…) VALUES ` */
  readonly insertHead: Buffer;
  /** ` ON DUPLICATE KEY UPDATE …` */
  readonly upsertTail: Buffer;
  /** `UPDATE … SET ` */
  readonly updateHead: Buffer;
  /** `DELETE FROM … WHERE ` */
  readonly deleteHead: Buffer;
  /** `(`a`,`b`) IN (`, or null where the server would read the whole table for that (MySQL before 5.7.3), or find nothing. */
  readonly keysIn: Buffer | null;
  /** `` AND `c`=…`` for constant parts of the key; empty for none. */
  readonly keyConstants: Buffer;
  /** Constant columns as values, each after a comma; empty for none. */
  readonly constantValues: Buffer;
  /** `` `c`=…`` for constant columns outside the key, each after a comma. */
  readonly constantAssignments: Buffer;
  /** Identity columns that an update writes although it finds the row by them: equal to the server does not mean equal in bytes. */
  readonly rewrittenIdentity: readonly WrittenColumn[];
}

/** The alias of the new row where VALUES() is deprecated; no column or table of a user is likely to be named so, and a clash is an SQL error. */
const NEW_ROW = '`holt new row`';

/** An error that every sql_mode gives: 1242. NULL goes with every type: MariaDB takes no number for a UUID. */
export const FAIL = '(SELECT NULL UNION ALL SELECT NULL)';

/** The same where it must be a number: to the servers that NULL is text, and what it stands beside becomes text with it. */
export const FAIL_AMONG_NUMBERS = '(SELECT 1 UNION ALL SELECT 2)';

export function planSql(plan: TablePlan, traits: TargetTraits): PlanSql {
  const { quotedTable, columns, constants, identity, identityConstants } = plan;
  const names = [...columns, ...constants].map(({ quoted }) => quoted);
  const rewrittenIdentity = identity.filter(({ target }) => isLoose(target));
  const looseConstants = constants.filter((column) => !identityConstants.includes(column));
  const identityNames = identity.map(({ quoted }) => quoted);
  // In a list of rows MySQL compares labels with the text of our numbers, and finds nothing (measured on 5.6 and 9.7).
  const hasLabels = identity.some(({ target: { dataType } }) => dataType === 'enum' || dataType === 'set');
  const tuplesByRange = traits.flavour === 'mariadb' || (traits.versionNumber >= 50_703 && !hasLabels);
  const single = identityNames.length === 1;
  const keysIn = single
    ? `${identityNames[0]} IN (`
    : tuplesByRange && identityNames.length > 0
      ? `(${identityNames.join(',')}) IN (`
      : null;
  return {
    insertHead: Buffer.from(`INSERT INTO ${quotedTable} (${names.join(',')}) VALUES `),
    upsertTail: Buffer.from(upsertTail(plan, traits, rewrittenIdentity)),
    updateHead: Buffer.from(`UPDATE ${quotedTable} SET `),
    deleteHead: Buffer.from(`DELETE FROM ${quotedTable} WHERE `),
    keysIn: keysIn === null ? null : Buffer.from(keysIn),
    keyConstants: Buffer.from(
      identityConstants.map(({ quoted, literal }) => ` AND ${quoted}=${literal}`).join(''),
    ),
    constantValues: Buffer.from(constants.map(({ literal }) => `,${literal}`).join('')),
    constantAssignments: Buffer.from(
      looseConstants.map(({ quoted, literal }) => `,${quoted}=${literal}`).join(''),
    ),
    rewrittenIdentity,
  };
}

/**
 * An upsert may collide with a row other than the one meant, on another unique key, and would change that row without a word. The first
 * assignment therefore asks whether the row found has the key of the row given, and fails the statement if not. It asks in a
 * condition, where the failing part has no say in the type of the value: beside a UUID, text in UCS-2 or a FLOAT servers refuse
 * it, compute it whatever the condition says, or round (measured on MariaDB 10.11 and MySQL 9.7).
 */
function upsertTail(
  plan: TablePlan,
  traits: TargetTraits,
  rewrittenIdentity: readonly WrittenColumn[],
): string {
  const [first] = plan.identity;
  if (first === undefined) return '';
  // MySQL deprecates VALUES() from 8.0.20 and warns about each; the alias is there from 8.0.19. MariaDB has VALUES() only.
  const aliased = traits.flavour === 'mysql' && traits.versionNumber >= 80_020;
  const given = (quoted: string) => (aliased ? `${NEW_ROW}.${quoted}` : `VALUES(${quoted})`);
  const stored = (quoted: string) => `${plan.quotedTable}.${quoted}`;
  const parts = [...plan.identity, ...plan.identityConstants].map(({ quoted }) => quoted);
  const same = parts.map((quoted) => `${stored(quoted)}=${given(quoted)}`).join(' AND ');
  const kept = rewrittenIdentity.includes(first) ? given(first.quoted) : stored(first.quoted);
  const assignments = [
    `${first.quoted}=IF(${same} OR ${FAIL},${kept},${kept})`,
    ...[...plan.columns, ...plan.constants]
      .filter((column) => !parts.includes(column.quoted))
      .concat(rewrittenIdentity.filter((column) => column !== first))
      .map(({ quoted }) => `${quoted}=${given(quoted)}`),
  ];
  return `${aliased ? ` AS ${NEW_ROW}` : ''} ON DUPLICATE KEY UPDATE ${assignments.join(',')}`;
}
