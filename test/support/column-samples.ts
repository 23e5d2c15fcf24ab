import type { CaseServer } from '../cases/column-types/column-type-case.ts';
import { valuesOn } from '../cases/column-types/column-type-case.ts';
import { ownTypesOn } from '../cases/column-types/column-type-cases.ts';
import { Random } from './random.ts';

/** The table of column types as samples: each type's own values first, then chance's. */
export interface ColumnSample {
  /** For a table's name. */
  readonly name: string;
  readonly ddl: string;
  /** SQL expressions for a session with a lenient sql_mode and UTC. */
  readonly values: readonly string[];
  readonly on: readonly CaseServer[];
}

export interface SampleOptions {
  readonly flavour: CaseServer;
  /** At least so many values of each type. */
  readonly rows: number;
  readonly seed?: number;
}

export function columnSamples(options: SampleOptions): readonly ColumnSample[] {
  const { flavour, rows } = options;
  const chance = new Random(options.seed ?? 20_260_101);
  return ownTypesOn(flavour).map((one) => ({
    name: one.id,
    ddl: one.ddl,
    values: valuesOn(one, flavour, { rows, chance }),
    on: one.on,
  }));
}
