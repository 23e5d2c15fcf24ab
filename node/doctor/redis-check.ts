/** A site's Redis. Nothing of it is needed for replication: what is wrong is a warning. */
import { Redis } from 'ioredis';
import { withDeadline } from '../../lib/abort.ts';
import { systemClock } from '../../lib/clock.ts';
import { HoltError, messageOf } from '../../lib/errors.ts';
import type { SiteConfig } from '../../model/config.ts';
import { type ClockReading, clockReading } from './clock-checks.ts';
import { type Finding, ok, warning } from './finding.ts';

const DEADLINE_MS = 5_000;

export interface RedisCheck {
  readonly findings: readonly Finding[];
  readonly clock: ClockReading | null;
}

export async function checkRedis(site: SiteConfig): Promise<RedisCheck> {
  const about = `Redis of site ${site.name}`;
  if (site.redis === null)
    return { findings: [ok(about, 'none configured: jobs run in the node itself')], clock: null };
  let url: string;
  try {
    url = site.redis.url.resolve();
  } catch (error) {
    return { findings: [unusable(about, messageOf(error))], clock: null };
  }
  // The address as ioredis reads it may hold the password: it is never shown.
  if (!/^rediss?:\/\//.test(url) || !URL.canParse(url))
    return { findings: [unusable(about, 'its URL does not begin with redis:// or rediss://')], clock: null };
  const redis = new Redis(url, {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    connectTimeout: DEADLINE_MS,
    retryStrategy: () => null,
  });
  let reason = 'it does not answer';
  redis.on('error', (error) => {
    reason = error.message;
  });
  try {
    await withDeadline(redis.connect(), DEADLINE_MS, 'connecting');
    const asked = systemClock.nowMs();
    const [seconds, micros] = await withDeadline(redis.time(), DEADLINE_MS, 'TIME');
    const clock = clockReading(
      about,
      Number(seconds) * 1000 + Number(micros) / 1000,
      asked,
      systemClock.nowMs(),
    );
    return { findings: [await policy(about, redis)], clock };
  } catch (error) {
    const why = error instanceof HoltError || reason === 'it does not answer' ? messageOf(error) : reason;
    return { findings: [unusable(about, why)], clock: null };
  } finally {
    redis.disconnect();
  }
}

async function policy(about: string, redis: Redis): Promise<Finding> {
  const info = await withDeadline(redis.info('memory'), DEADLINE_MS, 'INFO');
  const found = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'unknown';
  return policyFinding(about, found);
}

/** Pure. */
export function policyFinding(about: string, found: string): Finding {
  if (found === 'noeviction') return ok(about, 'it answers; maxmemory-policy is noeviction');
  return warning({
    code: 'HOLT_REDIS_EVICTS',
    about,
    message: `maxmemory-policy is ${found}: a full Redis would throw queued jobs away`,
  });
}

function unusable(about: string, why: string): Finding {
  return warning({
    code: 'HOLT_JOBS_UNREACHABLE',
    about,
    message: `${why}: jobs stop, replication goes on`,
  });
}
