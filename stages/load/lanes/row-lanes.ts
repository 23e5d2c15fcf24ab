/** The lane of each row of a rows record, by the rule of its table. */
import { ABSENT_LENGTH, compileRowScanner, type RowScanner } from '../../../canal/value/row-scanner.ts';
import type { PayloadReader } from '../../../model/payload.ts';
import { ROW_FLAG } from '../../../model/rows.ts';
import type { TableShape } from '../../../model/table-shape.ts';
import { isHashedAsText, LANE_HASH_SEED, type LaneRule, laneHash, laneOfHash } from './lane-rule.ts';

/** Rows of a record that follow each other and go to one lane: `start` and `end` are places in the payload. */
export type OnRun = (lane: number, start: number, end: number, rows: number) => void;

/** In place of a lane: the row's key is not in the image, or goes from one lane to another. */
const UNCLEAR = 0;

export class RowLanes {
  readonly #rule: LaneRule;
  readonly #lanes: number;
  readonly #scanner: RowScanner | null;
  readonly #indexes: Int32Array;
  readonly #asText: readonly boolean[];
  readonly #known: boolean;

  constructor(shape: TableShape, rule: LaneRule, lanes: number) {
    this.#rule = rule;
    this.#lanes = lanes;
    const names = rule.kind === 'hash' ? rule.columns : [];
    const indexes = names.map((name) => shape.columns.findIndex((column) => column.name === name));
    this.#known = indexes.every((index) => index >= 0 && shape.columns[index]?.carrier === 'binlog');
    this.#indexes = Int32Array.from(indexes);
    this.#asText = indexes.map((index) => isHashedAsText(shape.columns[index]?.type ?? 0));
    this.#scanner = rule.kind === 'hash' && this.#known ? compileRowScanner(shape) : null;
  }

  /** Gives the record's rows in runs; false, and nothing more, once a row's lane cannot be told. @throws HOLT_ROW_CORRUPT */
  runs(reader: PayloadReader, onRun: OnRun): boolean {
    const { dataStart, dataEnd, rows } = reader;
    if (this.#rule.kind === 'whole') {
      onRun(this.#rule.lane, dataStart, dataEnd, rows);
      return true;
    }
    const scanner = this.#scanner;
    if (scanner === null) return false;
    const { bytes, before, after } = reader;
    const partialJson = (reader.flags & ROW_FLAG.partialJson) !== 0;
    let start = dataStart;
    let count = 0;
    let running = UNCLEAR;
    let at = dataStart;
    for (let row = 0; row < rows; row++) {
      const began = at;
      let lane = UNCLEAR;
      if (before !== null) {
        at = scanner.scan(bytes, at, dataEnd, before);
        lane = this.#laneOf(scanner, bytes);
        if (lane === UNCLEAR) return false;
      }
      if (after !== null) {
        at = partialJson
          ? scanner.scanPartial(bytes, at, dataEnd, after)
          : scanner.scan(bytes, at, dataEnd, after);
        // An update whose after image has nothing of the key did not change it.
        if (before === null || !this.#isKeyless(scanner)) {
          const next = this.#laneOf(scanner, bytes);
          if (next === UNCLEAR || (before !== null && next !== lane)) return false;
          lane = next;
        }
      }
      if (lane !== running && count > 0) {
        onRun(running, start, began, count);
        start = began;
        count = 0;
      }
      running = lane;
      count += 1;
    }
    if (count > 0) onRun(running, start, at, count);
    return true;
  }

  #laneOf(scanner: RowScanner, bytes: Buffer): number {
    let hash = LANE_HASH_SEED;
    for (let i = 0; i < this.#indexes.length; i++) {
      const index = this.#indexes[i] ?? 0;
      const length = scanner.lengths[index] ?? ABSENT_LENGTH;
      if (length < 0) return UNCLEAR;
      hash = laneHash(hash, bytes, scanner.offsets[index] ?? 0, length, this.#asText[i] === true);
    }
    return laneOfHash(hash, this.#lanes);
  }

  #isKeyless(scanner: RowScanner): boolean {
    for (const index of this.#indexes) if (scanner.lengths[index] !== ABSENT_LENGTH) return false;
    return true;
  }
}
