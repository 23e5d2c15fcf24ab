/** Positions as people write them. */
import { HoltError } from '../lib/errors.ts';
import { gtidSetOf } from './gtid-set.ts';
import { mariadbPositionOf } from './mariadb-gtid.ts';
import { formOf, type PositionText, parseFilePosition } from './position.ts';

/** The canonical text of what somebody typed. @throws HOLT_POSITION_INVALID */
export function positionFromInput(input: string): PositionText {
  const text = input.trim() as PositionText;
  switch (formOf(text)) {
    case 'mysql':
      return gtidSetOf(text).toPosition();
    case 'mariadb':
      return mariadbPositionOf(text).toPosition();
    case 'file':
      if (parseFilePosition(text).offset < 4)
        throw new HoltError(
          'HOLT_POSITION_INVALID',
          `${JSON.stringify(text)} is no file position: a binlog file begins at offset 4`,
        );
      return text;
  }
}
