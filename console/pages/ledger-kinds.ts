/** What kinds of ledger entries say to people. A kind that is not here is shown by its own word. */

export interface KindWords {
  readonly title: string;
  /** What was found, as a sentence. */
  readonly means: string;
  /** `conflict`: the target's row was not what the change says; `dead-letter`: the target does not take the values. */
  readonly group: 'conflict' | 'dead-letter';
}

const WORDS: Readonly<Record<string, KindWords>> = {
  'insert-present': {
    title: 'Row is there already',
    means: 'A row was to be inserted, and one with its key is there.',
    group: 'conflict',
  },
  'update-missing': {
    title: 'Row is not there',
    means: 'A row was to be changed, and it is not there.',
    group: 'conflict',
  },
  'update-differs': {
    title: 'Row is another',
    means: 'A row was to be changed, and it is not what it was at the source before the change.',
    group: 'conflict',
  },
  'delete-missing': {
    title: 'Row is gone already',
    means: 'A row was to be deleted, and it is not there.',
    group: 'conflict',
  },
  'delete-differs': {
    title: 'Row is another',
    means: 'A row was to be deleted, and it is not what it was at the source.',
    group: 'conflict',
  },
  'unique-taken': {
    title: 'Unique value is taken',
    means: 'Another row has the value of a unique key.',
    group: 'conflict',
  },
  'parent-missing': {
    title: 'Parent row is missing',
    means: 'The row that a foreign key points to is not there.',
    group: 'conflict',
  },
  'children-left': {
    title: 'Child rows are left',
    means: 'Rows that only the target has point to this one.',
    group: 'conflict',
  },
  'foreign-bytes': {
    title: 'Bytes are no text',
    means: 'The bytes of a value are no text of its character set, and the target does not take them.',
    group: 'dead-letter',
  },
  'row-too-large': {
    title: 'Row is too large',
    means: "A statement with the row's values is larger than the target's max_allowed_packet.",
    group: 'dead-letter',
  },
};

export function kindWords(kind: string): KindWords {
  return WORDS[kind] ?? { title: kind, means: '', group: 'conflict' };
}

export const KINDS: readonly string[] = Object.keys(WORDS);
