/**
 * The rules of protocol.md as switches: each is on in the protocol, and switched off one at a time to show that the
 * explorer finds what goes wrong without it.
 */
export interface Rules {
  /** Guard: the row must have the batch's tenure (section 4). */
  readonly guardTenure: boolean;
  /** Guard: the row must be at seq n − 1. */
  readonly guardSeq: boolean;
  /** Guard: the row must be where the batch starts. */
  readonly guardPosition: boolean;
  /** Guard: the row must name this run's loader. */
  readonly guardLoader: boolean;
  /** COMMIT goes out only after the guard has answered well. */
  readonly commitAfterGuard: boolean;
  /** A COMMIT without answer: that connection is killed and gone before the row is looked at under lock. */
  readonly settleLostCommit: boolean;
  /** Every rewind raises: new epoch and new tenure. */
  readonly rewindRaises: boolean;
  /** A raise makes a new tenure; off: the tenure follows from the epoch's number alone. */
  readonly randomTenure: boolean;
  /** The raise goes on only if the row's epoch is the one read after the lock was made. */
  readonly seenEpoch: boolean;
  /** The raise goes above `/epoch` too, not only above the row. */
  readonly aboveTree: boolean;
  /** The raise kills older connections and waits for them. */
  readonly raiseKills: boolean;
  /** Taking Load kills the former loader's connection. */
  readonly takeKills: boolean;
  /** The server ends the idle session of a process that is frozen: sessions keep `wait_timeout` short. */
  readonly shortWaitTimeout: boolean;
  /** While nothing is in flight the mainstem looks at the row, and finds one that fell behind. */
  readonly idleLook: boolean;
  /** A guard that waits for another's lock looks at the committed row before it waits again. */
  readonly lockWaitLooks: boolean;
  /** Proclaiming checks that the mainstem lock is the own one. */
  readonly proclaimChecksLock: boolean;
  /** Tasks of older reigns, with their claims, are deleted after a raise. */
  readonly clearTasks: boolean;
  /** A missing row of a pipeline that has run stops it. */
  readonly missingRowStops: boolean;
  /** The tasks of parts go only after COMMIT. */
  readonly partsStayUntilCommit: boolean;
  /** A part without those before it in the same transaction is never applied. */
  readonly partsInOneTransaction: boolean;
  /** A row of a lower epoch, or of another server, is a rewind; off: the task is dropped as if superseded. */
  readonly lowerEpochRewinds: boolean;
  /** What an older tenure commits after a raise counts as a violation; off: only what it does to the rows. */
  readonly noZombie: boolean;
  /** Lowest sequence first, Load ahead only after the batch before (section 3). */
  readonly loadInOrder: boolean;
}

export const PROTOCOL: Rules = {
  guardTenure: true,
  guardSeq: true,
  guardPosition: true,
  guardLoader: true,
  commitAfterGuard: true,
  settleLostCommit: true,
  rewindRaises: true,
  randomTenure: true,
  seenEpoch: true,
  aboveTree: true,
  raiseKills: true,
  takeKills: true,
  shortWaitTimeout: true,
  idleLook: true,
  lockWaitLooks: true,
  proclaimChecksLock: true,
  clearTasks: true,
  missingRowStops: true,
  partsStayUntilCommit: true,
  partsInOneTransaction: true,
  lowerEpochRewinds: true,
  noZombie: true,
  loadInOrder: true,
};
