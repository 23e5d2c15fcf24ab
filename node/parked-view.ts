import { tableText } from '../stages/load/parked/parked.ts';
import type { ParkedGroup } from '../stages/load/parked/table-commands.ts';
import type { ParkedTableView } from './operations.ts';

/** Groups of parked tables as status and commands show them: a group's first line says what all of it holds. */
export function parkedViews(groups: readonly ParkedGroup[]): readonly ParkedTableView[] {
  return groups.flatMap((group) =>
    group.tables.map(
      (one, index): ParkedTableView => ({
        table: tableText(one.name),
        root: tableText(group.root),
        target: tableText(one.target),
        state: one.state,
        code: one.code,
        why: one.why.slice(0, 2000),
        by: one.by,
        since: one.parkedAt,
        heldChanges: index === 0 ? group.changes : 0,
        heldBytes: index === 0 ? group.bytes : 0,
        oldestCommitMs: index === 0 && group.oldestCommitUs !== null ? group.oldestCommitUs / 1000 : null,
      }),
    ),
  );
}
