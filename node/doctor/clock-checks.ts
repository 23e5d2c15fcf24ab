/** Clocks of all parties beside each other. Pure. */
import { formatMs } from '../cli/output.ts';
import { type Finding, ok, warning } from './finding.ts';

export interface ClockReading {
  readonly party: string;
  /** How far the party's clock is ahead of this machine's, milliseconds. */
  readonly aheadMs: number;
  /** The reading is right to this much, either way. */
  readonly errorMs: number;
}

/** The other party's time, asked between two readings of our own: it was taken somewhere in between. */
export function clockReading(
  party: string,
  theirsMs: number,
  askedMs: number,
  answeredMs: number,
): ClockReading {
  return { party, aheadMs: theirsMs - (askedMs + answeredMs) / 2, errorMs: (answeredMs - askedMs) / 2 };
}

/** A lag figure is as wrong as the clocks are apart; nodes refuse each other's calls when they are 30 s apart. */
export const TOLERATED_SKEW_MS = 1_000;

/** This machine is a party too. */
export function clockFindings(readings: readonly ClockReading[]): readonly Finding[] {
  const all: readonly ClockReading[] = [{ party: 'this machine', aheadMs: 0, errorMs: 0 }, ...readings];
  if (all.length < 2) return [];
  const late = all.reduce((a, b) => (a.aheadMs <= b.aheadMs ? a : b));
  const early = all.reduce((a, b) => (a.aheadMs >= b.aheadMs ? a : b));
  const apartMs = early.aheadMs - late.aheadMs;
  const errorMs = early.errorMs + late.errorMs;
  const text = `${formatMs(apartMs)} ± ${formatMs(errorMs)}`;
  if (apartMs - errorMs <= TOLERATED_SKEW_MS)
    return [ok('clocks', `${all.length} clocks, at most ${text} apart`)];
  return [
    warning({
      code: 'HOLT_CLOCK_SKEW',
      about: 'clocks',
      message: `${early.party} is ${text} ahead of ${late.party}: figures of lag between them are wrong by that`,
    }),
  ];
}
