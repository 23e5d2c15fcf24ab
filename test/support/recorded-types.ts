import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CaseServer } from '../cases/column-types/column-type-case.ts';
import { repositoryRoot } from './inventory.ts';

/** What a server logged of a case's values (`record-column-types.ts`). */
export interface RecordedCase {
  readonly id: string;
  readonly type: number;
  readonly meta: number;
  readonly unsigned: boolean;
  readonly collation: number;
  readonly declared: string | null;
  /** Bytes in the row image, hex; and the text by which `exactRows` tells them. */
  readonly values: readonly (readonly [raw: string, said: string])[];
}

export function recordedCases(server: CaseServer): readonly RecordedCase[] {
  const file = join(repositoryRoot(), 'test', 'fixtures', 'column-types', `${server}.json`);
  return JSON.parse(readFileSync(file, 'utf8')) as RecordedCase[];
}
