/** A registered connection for those who write beside Load and never kill anybody for it: empty advance, replay, deleting. */
import { Backoff } from '../../../lib/backoff.ts';
import { type Clock, systemClock } from '../../../lib/clock.ts';
import type { DataSourceConfig } from '../../../model/config.ts';
import { classify, targetError } from './error-classes.ts';
import type { ConnectTarget } from './mysql2-connection.ts';
import { type Registering, type RegisterOptions, register } from './writer-registry.ts';

export interface OpenRegisteredOptions extends Omit<RegisterOptions, 'session' | 'openBeside'> {
  readonly connect: ConnectTarget;
  readonly target: DataSourceConfig;
  readonly signal: AbortSignal;
  /** How long to wait while a transaction of Load holds the row, ms. */
  readonly deadlineMs: number;
  readonly clock?: Clock;
}

/** @throws HoltError, disposition `retry`, when the target does not let us in before the deadline. */
export async function openRegistered(options: OpenRegisteredOptions): Promise<Registering> {
  const { connect, target, signal } = options;
  const clock = options.clock ?? systemClock;
  const end = clock.monotonicMs() + options.deadlineMs;
  const backoff = new Backoff({ initialMs: 50, maxMs: 1000 });
  for (;;) {
    signal.throwIfAborted();
    try {
      const session = await connect(target, { signal, session: { lockWaitTimeoutS: 2 } });
      const abort = () => session.destroy();
      signal.addEventListener('abort', abort, { once: true });
      try {
        const registering = await register({
          ...options,
          session,
          openBeside: () => connect(target, { session: { writes: false } }),
        });
        if (registering.kind === 'refused') await session.close();
        return registering;
      } catch (error) {
        session.destroy();
        throw error;
      } finally {
        signal.removeEventListener('abort', abort);
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const kind = classify(error);
      const mayPass = kind === 'conflict' || kind === 'lost';
      if (!mayPass || clock.monotonicMs() >= end) throw kind === 'other' ? error : targetError(error);
      await clock.sleep(backoff.nextMs(), signal);
    }
  }
}
