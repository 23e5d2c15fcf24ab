import type { TargetConnection } from '../target/target-connection.ts';
import { CHECKS_OFF } from './statement.ts';
import type { TargetTraits } from './target-table.ts';

/**
 * Which checks are off in each session. Sessions begin with all of them on; whatever goes wrong in between, the next
 * statement sets what it wants, so nothing has to be undone on failure.
 */
export class SessionChecks {
  readonly #off = new WeakMap<TargetConnection, number>();

  /** Sends what it takes for `wanted` (`CHECKS_OFF` bits) to be off and the others on. */
  async set(connection: TargetConnection, wanted: number, traits: TargetTraits): Promise<void> {
    const known = traits.flavour === 'mariadb' ? wanted : wanted & ~CHECKS_OFF.checkConstraints;
    const now = this.#off.get(connection) ?? CHECKS_OFF.none;
    if (now === known) return;
    const assignments: string[] = [];
    if (((now ^ known) & CHECKS_OFF.foreignKeys) !== 0)
      assignments.push(`foreign_key_checks=${(known & CHECKS_OFF.foreignKeys) === 0 ? 1 : 0}`);
    // MySQL has no switch for CHECK constraints.
    if (((now ^ known) & CHECKS_OFF.checkConstraints) !== 0)
      assignments.push(`check_constraint_checks=${(known & CHECKS_OFF.checkConstraints) === 0 ? 1 : 0}`);
    await connection.execute(`SET SESSION ${assignments.join(', SESSION ')}`);
    this.#off.set(connection, known);
  }
}
