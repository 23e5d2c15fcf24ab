/**
 * Backlogs made by procedures inside the source: no client's round trips in between, and what is random is so by a seed.
 * A part is a CALL with the number of the part and how often to do it.
 */
import type { DatabaseServer } from '../test/support/database-server.ts';
import { type BacklogPlan, PARTS, SCHEMA } from './backlog.ts';

export interface ProcedurePlan {
  readonly name: string;
  readonly tables: readonly string[];
  /** Statements that make and fill the tables. */
  readonly prepare: readonly string[];
  /** Body of the loop, done `times` in all; has `i` (from 0, over all parts), and `RAND()` that follows the seed. */
  readonly body: string;
  readonly declare?: string;
  readonly times: number;
  /** Row changes of one time. */
  readonly rowsEach: number;
  readonly seed: number;
}

export function procedureBacklog(plan: ProcedurePlan): BacklogPlan {
  const { name, tables, times, rowsEach, seed } = plan;
  return {
    name,
    tables,
    prepare: async ({ db }) => {
      await db.query(`USE ${SCHEMA}; ${plan.prepare.join('; ')}`);
      await db.query(
        `CREATE PROCEDURE ${SCHEMA}.go(IN first INT, IN times INT)
         BEGIN
           DECLARE i INT DEFAULT first;
           ${plan.declare ?? ''}
           SET SESSION rand_seed1 = ${seed} + first, SESSION rand_seed2 = 2 * ${seed} + first;
           WHILE i < first + times DO
             ${plan.body};
             SET i = i + 1;
           END WHILE;
         END`,
      );
    },
    write: async (source: DatabaseServer, part: number) => {
      const until = (n: number) => Math.round((times * n) / PARTS);
      const count = until(part + 1) - until(part);
      await source.db.query(`CALL ${SCHEMA}.go(${until(part)}, ${count})`);
      return count * rowsEach;
    },
  };
}
