/**
 * What a benchmark is. `npm run bench -- NAME OPTIONS` runs one: it sets up its servers by itself, states its question, seed, machine and
 * settings, checks that the result is right before it gives a figure, and ends each measurement with lines `RESULT {json}`.
 *
 * `recorder.ts` says and keeps all that; `measurement.ts` has the form of results and of files of record; `report.ts` makes the
 * page of them.
 */
export interface Bench {
  /** What it answers, in a sentence. */
  readonly question: string;
  /** Options in `all`, one run each. */
  readonly plan: readonly (readonly string[])[];
  /** Rejects where something could not be measured, or was not equal: then there is no figure. */
  run(args: readonly string[]): Promise<void>;
}
