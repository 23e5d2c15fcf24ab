/** What an application waits for, in the form that a pipeline's checkpoint has. Pure. */
import { HoltError } from '../../lib/errors.ts';
import { GtidSet } from '../../model/gtid-set.ts';
import { MariadbPosition } from '../../model/mariadb-gtid.ts';
import {
  filePosition,
  formOf,
  type PositionForm,
  type PositionText,
  parseFilePosition,
} from '../../model/position.ts';
import { positionFromInput } from '../../model/position-input.ts';

const EXPECTED: Readonly<Record<PositionForm, string>> = {
  mysql: "a GTID or GTID set of MySQL, such as the session's own (session_track_gtids) or @@gtid_executed",
  mariadb: 'a GTID of MariaDB, such as @@last_gtid',
  file: '<file>:<offset>, as SHOW MASTER STATUS gives them',
};

/**
 * `input` is a GTID (or a set, or file:offset) as the source's server writes it, or a position as Holt shows it; `like` a position of
 * the pipeline.
 * @throws HOLT_POSITION_INVALID when it is none, or of another kind than those of the source.
 */
export function wantedPosition(input: string, like: PositionText): PositionText {
  const text = input.trim();
  const form = formOf(like);
  const wanted = /^(?:mysql|mariadb|file):/.test(text)
    ? positionFromInput(text)
    : fromServersText(text, form, like);
  const isEmpty = /^(?:mysql|mariadb):$/.test(wanted);
  if (!isEmpty && formOf(wanted) === form) return wanted;
  throw new HoltError(
    'HOLT_POSITION_INVALID',
    `${JSON.stringify(text.slice(0, 100))} is nothing to wait for: ${EXPECTED[form]} is expected`,
    { disposition: 'fatal', remedy: 'Read it at the source, in the session that wrote, after its COMMIT.' },
  );
}

function fromServersText(text: string, form: PositionForm, like: PositionText): PositionText {
  switch (form) {
    case 'mysql':
      // Servers break long sets into lines.
      return GtidSet.parse(text.replace(/\s+/g, '')).toPosition();
    case 'mariadb':
      return MariadbPosition.parse(text).toPosition();
    case 'file': {
      const [, file, offset] = /^([^:\s]+):([0-9]{1,16})$/.exec(text) ?? [];
      if (file === undefined)
        throw new HoltError(
          'HOLT_POSITION_INVALID',
          `${JSON.stringify(text.slice(0, 100))} is no place in a log: ${EXPECTED.file} is expected`,
          { disposition: 'fatal' },
        );
      return filePosition(parseFilePosition(like).serverIdentity, { file, offset: Number(offset) });
    }
    default:
      return form satisfies never;
  }
}
