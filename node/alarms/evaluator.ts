/**
 * The one node that evaluates: contests a lock, and while it is held looks, evaluates, writes and hands over to delivery, again and
 * again. Nothing here decides anything: `evaluate.ts` does.
 */
import { Backoff } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { isAbort, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { RunningState, type Service } from '../../lib/service.ts';
import type { AlarmsConfig } from '../../model/alarm.ts';
import type { NodeId } from '../../model/ids.ts';
import { Holding } from '../../scheduler/holding.ts';
import { alarmPaths, lockOf } from '../../scheduler/paths.ts';
import { jsonRecord } from '../../scheduler/record.ts';
import { lockRecord } from '../../scheduler/records.ts';
import type { CoordinationTree } from '../../scheduler/tree/tree.ts';
import { isTreeError } from '../../scheduler/tree/tree-error.ts';
import type { AlarmStore, EvaluatorRecord, KnownNode, Term } from './alarm-store.ts';
import type { Notice, Orders } from './alarms.ts';
import type { Deliverer } from './delivery/deliverer.ts';
import { type AlarmState, evaluate, NO_ALARMS } from './evaluate.ts';
import type { AlarmEyes } from './eyes.ts';

export interface AlarmEvaluatorOptions {
  readonly alarms: AlarmsConfig;
  readonly node: NodeId;
  /** Random for this process. */
  readonly instance: string;
  readonly tree: CoordinationTree;
  readonly store: AlarmStore;
  /** Eyes of a new reign, with the nodes that the last evaluator knew. */
  readonly eyes: (before: readonly KnownNode[]) => AlarmEyes;
  readonly deliverer: Pick<Deliverer, 'add'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A look takes no more than one part in so many of the time. */
const SHARE = 5;
/** How long the lock may be gone unseen: its watch tells sooner. */
const CONTEND_MS = 2_000;
const SWEEP_MS = 30_000;
const TIDY_MS = 60_000;
const FORGET_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** A notice older than this is history, delivered or not. */
const DELIVER_MS = DAY_MS;
/** A node that is missed, which people know of, is given up after this. */
const GIVE_UP_MS = DAY_MS;
/** The evaluator that stops takes leave within this. */
const FAREWELL_MS = 2_000;

const lockCodec = jsonRecord(lockRecord);

interface Reign {
  readonly term: Term;
  readonly holding: Holding;
  readonly before: readonly KnownNode[];
}

export class AlarmEvaluator implements Service {
  readonly #options: AlarmEvaluatorOptions;
  readonly #running: RunningState;
  #done: Promise<void> | null = null;
  #isEvaluating = false;
  #evaluations = 0;

  constructor(options: AlarmEvaluatorOptions) {
    this.#options = options;
    this.#running = new RunningState({ clock: options.clock });
  }

  /** This node is the one. */
  get isEvaluating(): boolean {
    return this.#isEvaluating;
  }

  get evaluations(): number {
    return this.#evaluations;
  }

  run(): Promise<void> {
    this.#done ??= this.#loop();
    return this.#done;
  }

  async stop(): Promise<void> {
    this.#running.requestStop();
    await this.#done;
  }

  async #loop(): Promise<void> {
    const { tree, store, log } = this.#options;
    while (this.#running.shouldRun()) {
      try {
        await tree.whenConnected({ signal: this.#running.signal });
        await store.prepare();
        const reign = await this.#contend();
        this.#running.resetBackoff();
        if (reign !== null) await this.#reign(reign);
      } catch (error) {
        if (!this.#running.shouldRun() || isTreeError(error, 'closed')) return;
        if (!isAbort(error))
          log.info(
            { event: 'alarms:evaluator:failed', reason: messageOf(error) },
            'evaluating alarms begins anew',
          );
        await this.#running.backoff();
      }
    }
  }

  /** Waits until nobody evaluates, and tries to be the next. Null when another was first. */
  async #contend(): Promise<Reign | null> {
    const { tree, store, node, instance, clock } = this.#options;
    const lock = lockOf(alarmPaths.evaluator);
    await this.#untilFree(lock);
    if (!this.#running.shouldRun()) return null;
    const sessionEpoch = tree.sessionEpoch;
    const session = { epoch: sessionEpoch, signal: this.#running.signal };
    const last = await store.record();
    const before = last?.value.nodes ?? [];
    const sinceMs = Math.round(clock.nowMs());
    const record: EvaluatorRecord = { version: 1, node, instance, sinceMs, nodes: before };
    try {
      const [set, created] = await tree.multi(
        [
          {
            op: 'set',
            path: alarmPaths.evaluator,
            data: store.encode(record),
            version: last?.version ?? 'any',
          },
          {
            op: 'create',
            path: lock,
            data: lockCodec.encode({ version: 1, node, instance, sinceMs }),
            ephemeral: true,
          },
        ],
        session,
      );
      if (set?.op !== 'set' || created?.op !== 'create') return null;
      const { czxid } = created.stat;
      const term = { sessionEpoch, version: set.stat.version };
      return { term, before, holding: new Holding({ tree, path: lock, sessionEpoch, czxid }) };
    } catch (error) {
      if (isTreeError(error, 'node-exists', 'bad-version')) return null;
      if (isTreeError(error) && error.outcomeUnknown) await this.#undo(lock, sessionEpoch);
      throw error;
    }
  }

  /** A lock that may be ours and that nobody holds on to would keep all others out. */
  async #undo(lock: string, epoch: number): Promise<void> {
    const { tree } = this.#options;
    await tree.barrier({ epoch });
    const stat = await tree.exists(lock, { epoch });
    if (stat?.ephemeralOwner === tree.sessionId) await tree.remove(lock, 'any', { epoch });
  }

  async #untilFree(lock: string): Promise<void> {
    const { tree } = this.#options;
    let look = () => {};
    const watch = tree.watchData(lock, () => look());
    try {
      for (;;) {
        if (!this.#running.shouldRun()) return;
        if ((await tree.exists(lock, { signal: this.#running.signal })) === null) return;
        const pause = new AbortController();
        look = () => pause.abort();
        await this.#options.clock
          .sleep(CONTEND_MS, AbortSignal.any([pause.signal, this.#running.signal]))
          .catch(() => {});
      }
    } finally {
      watch.close();
    }
  }

  async #reign({ term, holding, before }: Reign): Promise<void> {
    const { store, eyes: open, clock, log } = this.#options;
    const signal = AbortSignal.any([this.#running.signal, holding.lost]);
    log.info({ event: 'alarms:evaluator:begin' }, 'this node evaluates the alarms');
    const eyes = open(before);
    this.#isEvaluating = true;
    const course = new Course(this.#options, eyes, term);
    const backoff = new Backoff({ initialMs: 200, maxMs: 5_000 });
    let isFailing = false;
    try {
      while (!signal.aborted && holding.isHeld()) {
        const began = clock.monotonicMs();
        try {
          await course.step(signal);
          this.#evaluations += 1;
          backoff.reset();
          isFailing = false;
        } catch (error) {
          if (signal.aborted || isAbort(error) || isTreeError(error, 'session-lost', 'closed')) break;
          const facts = { event: 'alarms:look:failed', reason: messageOf(error) };
          if (isFailing) log.debug(facts, 'alarms could not be evaluated');
          else log.warn(facts, 'alarms could not be evaluated');
          isFailing = true;
          // Another's term: what we know counts no more.
          if (isTreeError(error, 'bad-version') && error.path === alarmPaths.evaluator) break;
          course.forget();
          await clock.sleep(backoff.nextMs(), signal).catch(() => {});
        }
        const took = clock.monotonicMs() - began;
        const pauseMs = Math.max(this.#options.alarms.everyMs - took, SHARE * took);
        await clock.sleep(Math.max(10, pauseMs), signal).catch(() => {});
      }
    } finally {
      this.#isEvaluating = false;
      await this.#release(holding, term, eyes, store);
      log.info({ event: 'alarms:evaluator:end' }, 'this node evaluates the alarms no more');
    }
  }

  /** Who leaves by itself is not missed by the next one. */
  async #release(holding: Holding, term: Term, eyes: AlarmEyes, store: AlarmStore): Promise<void> {
    const { tree, node, instance, clock, log } = this.#options;
    const wasHeld = holding.isHeld();
    holding.close();
    if (!wasHeld) return;
    try {
      const nodes = eyes.nodes.filter((one) => one.node !== node);
      const data = store.encode({ version: 1, node, instance, sinceMs: Math.round(clock.nowMs()), nodes });
      await tree.multi(
        [
          { op: 'set', path: alarmPaths.evaluator, data, version: term.version },
          { op: 'remove', path: holding.path, version: 'any' },
        ],
        { epoch: term.sessionEpoch, deadlineMs: FAREWELL_MS },
      );
    } catch (error) {
      // Another wrote in between, and the lock is ours all the same: kept, it would keep everybody out, ourselves included.
      if (isTreeError(error, 'bad-version')) {
        const options = { epoch: term.sessionEpoch, deadlineMs: FAREWELL_MS };
        const isGone = await tree.remove(holding.path, 'any', options).then(
          () => true,
          (failure: unknown) => isTreeError(failure, 'no-node'),
        );
        if (isGone) return;
      }
      log.info(
        { event: 'alarms:evaluator:left', reason: messageOf(error) },
        'the lock of the evaluator is left to the end of the session',
      );
    }
  }
}

/** One reign, look by look. */
class Course {
  readonly #options: AlarmEvaluatorOptions;
  readonly #eyes: AlarmEyes;
  readonly #term: Term;
  /** Null: to be read from the tree. */
  #state: AlarmState | null = null;
  #orders: Orders = { version: 1, silences: [], acks: [] };
  /** Notices that have reached all their channels, or were given up. */
  readonly #done = new Set<string>();
  #nodes = '';
  #sweepDueMs = 0;
  #tidyDueMs = 0;
  #forgetDueMs = 0;
  #isAdding = false;

  constructor(options: AlarmEvaluatorOptions, eyes: AlarmEyes, term: Term) {
    this.#options = options;
    this.#eyes = eyes;
    this.#term = term;
  }

  /** What was written may not be what we think. */
  forget(): void {
    this.#state = null;
  }

  async step(signal: AbortSignal): Promise<void> {
    const { store, alarms, clock } = this.#options;
    const loaded = this.#state === null ? await store.alarms() : null;
    const before: AlarmState =
      this.#state ??
      ({
        ...NO_ALARMS,
        alarms: new Map((loaded ?? []).map((one) => [one.id, one])),
        fires: new Map((loaded ?? []).map((one) => [one.id, one.fires])),
      } as AlarmState);
    this.#orders = await store.orders();
    const readings = await this.#eyes.look((node) => this.#isGivenUp(node), signal);
    signal.throwIfAborted();
    const { state, notices } = evaluate(before, readings, alarms, this.#orders);
    await this.#rememberNodes();
    await store.write(this.#term, before.alarms, state.alarms, notices);
    this.#state = state;
    for (const one of notices) this.#log(one);
    const nowMs = clock.monotonicMs();
    if (notices.length > 0 || nowMs >= this.#sweepDueMs) {
      this.#sweepDueMs = nowMs + SWEEP_MS;
      this.#add(notices);
    }
    if (nowMs >= this.#tidyDueMs) {
      this.#tidyDueMs = nowMs + TIDY_MS;
      await this.#tidy(readings.nowMs);
    }
    if (nowMs >= this.#forgetDueMs) {
      this.#forgetDueMs = nowMs + FORGET_MS;
      await store.forget(readings.nowMs - alarms.historyDays * DAY_MS);
    }
  }

  /** Not waited for: a queue that hangs holds no evaluation up. What it does not take now is offered again. */
  #add(notices: readonly Notice[]): void {
    if (this.#isAdding) {
      this.#sweepDueMs = 0;
      return;
    }
    this.#isAdding = true;
    this.#offer(notices)
      .catch((error: unknown) => {
        this.#options.log.warn(
          { event: 'alarms:queue:failed', reason: messageOf(error) },
          'alarms wait for their queue; they are offered again',
        );
      })
      .finally(() => {
        this.#isAdding = false;
      });
  }

  async #offer(fresh: readonly Notice[]): Promise<void> {
    const { store, deliverer, clock } = this.#options;
    for (const one of fresh) await deliverer.add(one, one.channels);
    const open = await store.undelivered(clock.nowMs() - DELIVER_MS, (id) => this.#done.has(id));
    for (const { notice, channels } of open) {
      if (channels.length === 0) this.#done.add(notice.id);
      else await deliverer.add(notice, channels);
    }
  }

  async #rememberNodes(): Promise<void> {
    const { store, node, instance, clock } = this.#options;
    const nodes = this.#eyes.nodes.toSorted((a, b) => (a.node < b.node ? -1 : 1));
    const text = JSON.stringify(nodes);
    if (text === this.#nodes) return;
    await store.remember(this.#term, {
      version: 1,
      node,
      instance,
      sinceMs: Math.round(clock.nowMs()),
      nodes,
    });
    this.#nodes = text;
  }

  /** Orders about what is over. */
  async #tidy(nowMs: number): Promise<void> {
    const groups = new Set([...(this.#state?.alarms.values() ?? [])].map((one) => one.group));
    const isOver = ({ silences, acks }: Orders) =>
      silences.some((one) => one.untilMs <= nowMs) || acks.some((one) => !groups.has(one.group));
    if (!isOver(this.#orders)) return;
    await this.#options.store.changeOrders((orders) => ({
      version: 1,
      silences: orders.silences.filter((one) => one.untilMs > nowMs),
      acks: orders.acks.filter((one) => groups.has(one.group)),
    }));
  }

  #isGivenUp(node: string): boolean {
    const ack = this.#orders.acks.find((one) => one.group === `node ${node}`);
    return ack !== undefined && this.#options.clock.nowMs() - ack.atMs > GIVE_UP_MS;
  }

  #log({ id, kind, group, severity, count, alarms }: Notice): void {
    const [first] = alarms;
    const facts = {
      event: `alarm:${kind}`,
      notice: id,
      group,
      severity,
      alarms: count,
      rule: first?.rule,
      subject: first?.subject,
      stage: first?.stage,
      code: first?.code,
    };
    if (kind === 'resolved') this.#options.log.info(facts, 'an alarm is over');
    else this.#options.log.warn(facts, 'an alarm fires');
  }
}
