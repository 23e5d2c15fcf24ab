/**
 * The world that the explorer walks through: a coordination tree, a target server, two source nodes, two loaders. All
 * of it is one immutable value; steps give new ones. The nodes' states are those of the shipped machines.
 *
 * The source's log is a row of units. A unit is a transaction, or a part of the one large transaction; the target's table is
 * the list of units applied to it. Right is exactly: a prefix of the log that ends between transactions.
 */
import type { LoadRunAction, LoadRunState } from '../../../../scheduler/machine/load-run.ts';
import type { MainstemAction, MainstemState, Raised } from '../../../../scheduler/machine/mainstem-life.ts';

/** How many faults of each kind may still happen. */
export interface Budget {
  readonly kill: number;
  readonly freeze: number;
  readonly expire: number;
  readonly loseReply: number;
  readonly rewind: number;
  readonly wipe: number;
  readonly failover: number;
  readonly dropRow: number;
}

export interface Task {
  readonly epoch: number;
  readonly tenure: string;
  readonly seq: number;
  readonly part: number;
  readonly lastPart: boolean;
  /** Units from … to (exclusive). */
  readonly from: number;
  readonly to: number;
  /** Loader that has claimed it. A claim goes with the session. */
  readonly claim: number | null;
}

export interface Tree {
  /** Number of takings of the mainstem lock. */
  readonly takings: number;
  readonly lock: { readonly node: number; readonly taking: number } | null;
  readonly epoch: { readonly epoch: number; readonly tenure: string; readonly version: number } | null;
  readonly tasks: readonly Task[];
  /** Epoch for which a rewind was asked. */
  readonly rewind: number | null;
  readonly receipt: { readonly tenure: string; readonly seq: number } | null;
}

export interface Row {
  readonly epoch: number;
  readonly tenure: string;
  readonly loader: string | null;
  readonly seq: number;
  readonly at: number;
  readonly identity: string;
}

/** The one open transaction that holds the row's lock. */
export interface Open {
  readonly by: number;
  readonly kind: 'raise' | 'load';
  readonly tenure: string;
  readonly seq: number;
  readonly units: readonly number[];
  readonly at: number;
  readonly nextPart: number;
  /** COMMIT is on its way; the server may execute it at any time. */
  readonly isCommitSent: boolean;
  /** The client is gone; the server has not noticed yet. */
  readonly isOrphan: boolean;
}

export interface Database {
  readonly identity: string;
  readonly row: Row | null;
  readonly table: readonly number[];
  readonly open: Open | null;
  /** What a replica has that lacks the last transaction. */
  readonly replica: { readonly row: Row | null; readonly table: readonly number[] };
}

/** Everything of a source node that its process holds. */
export interface SourceNode {
  readonly isAlive: boolean;
  readonly isFrozen: boolean;
  /** The servers have ended its session; it does not know yet. */
  readonly isExpired: boolean;
  readonly life: MainstemState;
  readonly todo: MainstemAction | null;
  /** A raise that holds the row's lock and has not decided yet. */
  readonly isInRaise: boolean;
  readonly select: Select | null;
  readonly raised: (Raised & { readonly seq: number; readonly at: number }) | null;
  readonly hasStopped: boolean;
}

export interface Select {
  readonly epoch: number;
  readonly tenure: string;
  readonly version: number;
  readonly seq: number;
  /** Next part of the large transaction being published, 0 between batches. */
  readonly part: number;
  readonly at: number;
}

/** Where a loader is with the action at the head of its list. */
export type LoadPhase = 'start' | 'opened' | 'sent' | 'answered' | 'unanswered';

export interface LoaderNode {
  readonly isAlive: boolean;
  readonly isFrozen: boolean;
  readonly isExpired: boolean;
  readonly run: LoadRunState;
  /** The batches themselves, as they were when they were claimed. */
  readonly batches: readonly Task[];
  readonly todo: readonly LoadRunAction[];
  readonly phase: LoadPhase;
  readonly loader: string | null;
}

export interface World {
  readonly budget: Budget;
  readonly tree: Tree;
  readonly db: Database;
  readonly sources: readonly SourceNode[];
  readonly loaders: readonly LoaderNode[];
  /** Raises so far: where fresh tenures come from. */
  readonly raises: number;
  /** Somebody is asked: the pipeline has stopped with a code. */
  readonly hasStopped: boolean;
  /** What went wrong; a world that has one is not walked on from. */
  readonly violation: string | null;
}

/** The source's log: `parts[u]` is [part, parts in all] of unit u. */
export interface SourceLog {
  readonly length: number;
  readonly parts: readonly (readonly [number, number])[];
}

export function logOf(...transactions: readonly number[]): SourceLog {
  const parts = transactions.flatMap((count) =>
    Array.from({ length: count }, (_, part) => [part, count] as const),
  );
  return { length: parts.length, parts };
}

/** Between two transactions, or at an end. */
export function isBoundary(log: SourceLog, unit: number): boolean {
  return unit === log.length || log.parts[unit]?.[0] === 0;
}

/** Gives equal worlds equal keys. Their parts are numbered, so that keys are short; a part shared by worlds is looked at once. */
export class WorldKeys {
  readonly #numbers = new Map<string, number>();
  readonly #known = new WeakMap<object, number>();

  keyOf(world: World): string {
    const { budget, tree, db, sources, loaders, raises, hasStopped, violation } = world;
    let key = `${raises}${hasStopped ? 's' : '.'}${violation ?? ''}`;
    for (const part of [budget, tree, db, ...sources, ...loaders]) key += `,${this.#numberOf(part)}`;
    return key;
  }

  /** Objects of equal content have one number; those inside are numbered first, so that each text stays short. */
  #numberOf(part: object): number {
    const known = this.#known.get(part);
    if (known !== undefined) return known;
    let text = Array.isArray(part) ? '[' : '{';
    for (const name in part) {
      const value = (part as Record<string, unknown>)[name];
      const isObject = typeof value === 'object' && value !== null;
      text += isObject ? `${name}#${this.#numberOf(value)},` : `${name}=${value},`;
    }
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#numbers.size;
      this.#numbers.set(text, number);
    }
    this.#known.set(part, number);
    return number;
  }
}
