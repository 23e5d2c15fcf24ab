import { ABSENT_LENGTH, NULL_LENGTH } from '../../../canal/value/row-scanner.ts';
import type { Breather } from '../../../lib/breather.ts';
import { ByteSink } from '../../../lib/byte-sink.ts';
import type { RowImage, TableFold } from './fold.ts';
import { KeyTable } from './key-table.ts';
import type { SecondaryKey } from './table-plan.ts';

/** Entries between two looks at the clock. */
const SLICE = 256;

/** What an image says of a unique key's value; the bytes are in the sink. */
type Said = 'value' | 'null' | 'absent' | 'in part';

/**
 * True when a value of a secondary unique key goes from one row that stays to another: the order of the updates then
 * matters. Inserted rows are written after, deleted ones before all updates, so only updates can be in each other's way.
 *
 * Values are told apart by their bytes. Where the server takes two for equal, or a key cannot be followed (a prefix, an
 * expression), the statement fails, and the batch is written again in the source's order (batch-applier.ts): this is about
 * speed, not about being right.
 */
export async function movesUniqueValues(
  fold: TableFold,
  breather: Breather,
  pause: () => Promise<void>,
): Promise<boolean> {
  if (fold.plans.every((plan) => plan.secondaryKeys.every(({ indexes }) => indexes === null))) return false;
  const { payload } = fold;
  const released = new KeyTable();
  const changed: number[] = [];
  const [before, after] = [new ByteSink(256), new ByteSink(256)];
  let blind = false;
  for (let entry = 0; entry < fold.size; entry++) {
    if (entry % SLICE === 0 && breather.due()) await pause();
    if (fold.change(entry) !== 'update') continue;
    const { secondaryKeys } = fold.planOf(entry);
    let takesOne = false;
    for (const key of secondaryKeys) {
      const takes = readValue(after, fold.finalImage(entry), payload, key);
      // NULL collides with nothing; what is not assigned stays.
      if (takes === 'null' || takes === 'absent') continue;
      const leaves = readValue(before, fold.keyImage(entry), payload, key);
      if (takes === 'in part' || leaves === 'in part' || leaves === 'absent') blind = true;
      else if (leaves === 'value') {
        if (before.view().equals(after.view())) continue;
        released.add(before.view(), 0, before.length);
      }
      takesOne = true;
    }
    if (takesOne) changed.push(entry);
  }
  if (changed.length < 2) return false;
  if (blind) return true;
  for (const [i, entry] of changed.entries()) {
    if (i % SLICE === 0 && breather.due()) await pause();
    const { secondaryKeys } = fold.planOf(entry);
    for (const key of secondaryKeys) {
      if (readValue(after, fold.finalImage(entry), payload, key) !== 'value') continue;
      if (released.has(after.view(), 0, after.length)) return true;
    }
  }
  return false;
}

/** Number of the key, then length and bytes of each of its columns. */
function readValue(sink: ByteSink, image: RowImage, payload: Buffer, key: SecondaryKey): Said {
  const { indexes, number } = key;
  if (indexes === null || indexes.length === 0) return 'absent';
  sink.reset();
  sink.uint16(number);
  let absent = 0;
  for (const index of indexes) {
    const length = image.lengths[index] as number;
    if (length === NULL_LENGTH) return 'null';
    if (length === ABSENT_LENGTH) {
      absent += 1;
      continue;
    }
    const offset = image.offsets[index] as number;
    sink.uint32(length);
    sink.copy(payload, offset, offset + length);
  }
  if (absent === 0) return 'value';
  return absent === indexes.length ? 'absent' : 'in part';
}
