/** What happens to and in the target: one row's lock, one open transaction at a time, COMMITs on their way. */
import type { Walk } from './source-steps.ts';
import { isBoundary, type LoaderNode, type Open, type SourceLog, type World } from './world.ts';

/** Loaders are numbered after the source nodes where a connection is meant. */
export const LOADER_BASE = 2;

export function withLoader(world: World, index: number, change: Partial<LoaderNode>): World {
  return {
    ...world,
    loaders: world.loaders.map((node, at) => (at === index ? { ...node, ...change } : node)),
  };
}

/** Ends a connection from outside: what it had open rolls back, and its COMMIT, if one was on its way, never happens. */
export function killOpen(world: World): World {
  return { ...world, db: { ...world.db, open: null } };
}

/** The server executes the COMMIT that was sent. */
export function executeCommit(world: World, { log, rules }: Walk, isReplyLost: boolean): World {
  const { open, row } = world.db;
  if (open === null || row === null) return world;
  const table = [...world.db.table, ...open.units];
  const db = {
    ...world.db,
    open: null,
    row: { ...row, seq: open.seq, at: open.at },
    table,
    replica: { row, table: world.db.table },
  };
  const next: World = {
    ...world,
    db,
    violation: damageOf(log, table, db.row.at) ?? (rules.noZombie ? zombieOf(open, row.tenure) : null),
  };
  if (open.isOrphan) return next;
  return withLoader(next, open.by - LOADER_BASE, { phase: isReplyLost ? 'unanswered' : 'answered' });
}

/** Statements that commit though the guard in front of them matched nothing. */
export function applyUnguarded(world: World, log: SourceLog, units: readonly number[]): World {
  const table = [...world.db.table, ...units];
  return {
    ...world,
    db: { ...world.db, table },
    violation: damageOf(log, table, world.db.row?.at ?? null),
  };
}

export function damageOf(log: SourceLog, table: readonly number[], at: number | null): string | null {
  const wrong = table.findIndex((unit, index) => unit !== index);
  if (wrong >= 0) {
    const unit = table[wrong];
    return table.indexOf(unit ?? -1) < wrong ? `unit ${unit} applied twice` : `unit ${wrong} lost`;
  }
  if (!isBoundary(log, table.length)) return `the table ends inside a transaction, at unit ${table.length}`;
  if (at !== null && at !== table.length) return `the row says ${at}, the table has ${table.length}`;
  return null;
}

function zombieOf(open: Open, ruling: string): string | null {
  return open.tenure === ruling ? null : `tenure ${open.tenure} committed under ${ruling}`;
}
