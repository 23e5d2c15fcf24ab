/**
 * Whether a schema change ran, by what can be found out after its connection is gone. Pure.
 *
 * A positive trace is proof. A denial counts if nothing speaks against it: the log and the tables are written one after the other by
 * servers without atomic DDL, and a server that crashed in between, or somebody else's hand on the same tables, leaves
 * them at odds. Then nobody but a person can say.
 */
export interface SettleEvidence {
  /** Whether the GTID that the statement was to have is executed; `none` where it had none. */
  readonly ownGtid: 'executed' | 'absent' | 'none';
  /** The statement in the server's own log: `off` where the server writes none, `unreadable` where it cannot be read to its end. */
  readonly log: 'found' | 'absent' | 'off' | 'unreadable';
  /** What stands under the names it concerns, compared with what stood there before. */
  readonly tables: 'changed' | 'same' | 'unknown';
  /** The server was started anew since. */
  readonly restarted: boolean;
  /** The server that is connected is not the one the statement was sent to. */
  readonly elsewhere: boolean;
}

export type SettleDecision =
  | { readonly kind: 'ran'; readonly why: string }
  | { readonly kind: 'void'; readonly why: string }
  /** Nobody but a person can say. */
  | { readonly kind: 'ask'; readonly why: string };

export function decideSettle(evidence: SettleEvidence): SettleDecision {
  const { ownGtid, log, tables, restarted, elsewhere } = evidence;
  if (ownGtid === 'executed') return { kind: 'ran', why: 'its GTID is executed' };
  if (log === 'found') return { kind: 'ran', why: "it is in the target's own log" };
  if (ownGtid === 'absent' && elsewhere)
    return { kind: 'void', why: 'its GTID is not executed on the server that is the target now' };
  if (elsewhere) return { kind: 'ask', why: 'the target is another server now' };
  const denial =
    ownGtid === 'absent'
      ? 'its GTID is not executed'
      : log === 'absent'
        ? "it is not in the target's own log"
        : null;
  switch (tables) {
    case 'same':
      return { kind: 'void', why: `${denial ?? 'its log cannot tell'}, and the tables are as they were` };
    case 'changed':
      if (denial !== null) return { kind: 'ask', why: `${denial}, but the tables are not as they were` };
      return log === 'off'
        ? { kind: 'ran', why: 'the target writes no log, and the tables are not as they were' }
        : {
            kind: 'ask',
            why: 'the tables are not as they were, and the log that says by whom cannot be read',
          };
    case 'unknown':
      if (denial === null) return { kind: 'ask', why: 'neither log nor tables can be looked at' };
      return restarted
        ? {
            kind: 'ask',
            why: `${denial}, the server was restarted since, and the tables cannot be looked at`,
          }
        : { kind: 'void', why: denial };
    default:
      return tables satisfies never;
  }
}
