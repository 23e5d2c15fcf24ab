import type { DatabaseFlavour } from './database.ts';

/**
 * What @vlasky/zongji 0.9 does not decode, or not to the same value. A test fails where an entry in fact agrees on a
 * server it names, so that the list stays true.
 */
export type ZongjiException =
  /** Tables of `columnSamples` whose values differ. */
  | {
      readonly kind: 'column';
      readonly samples: RegExp;
      readonly flavours: readonly DatabaseFlavour[];
      readonly reason: string;
    }
  /** Our kind of event that has no counterpart, or one without content. */
  | {
      readonly kind: 'event';
      readonly event: string;
      readonly flavours: readonly DatabaseFlavour[];
      readonly reason: string;
    };

export const ZONGJI_EXCEPTIONS: readonly ZongjiException[] = [
  {
    kind: 'event',
    event: 'transaction-payload',
    flavours: ['mysql'],
    reason: 'zongji does not unpack compressed transactions: their rows are lost to it',
  },
  {
    kind: 'event',
    event: 'statement-context:rand',
    flavours: ['mariadb', 'mysql56'],
    reason: 'an Unknown event to zongji, which reads row format only',
  },
  {
    kind: 'event',
    event: 'statement-context:user-var',
    flavours: ['mariadb', 'mysql56'],
    reason: 'an Unknown event to zongji, which reads row format only',
  },
  {
    kind: 'event',
    event: 'load-data:begin-load-query',
    flavours: ['mariadb'],
    reason: 'an Unknown event to zongji, which reads row format only',
  },
  {
    kind: 'event',
    event: 'load-data:execute-load-query',
    flavours: ['mariadb'],
    reason: 'an Unknown event to zongji, which reads row format only',
  },
  {
    kind: 'column',
    samples: /^year$/,
    flavours: ['mariadb', 'mysql', 'mysql56'],
    reason: 'the year 0000 is 1900 to zongji',
  },
  {
    kind: 'column',
    samples: /^time_/,
    flavours: ['mariadb', 'mysql', 'mysql56'],
    reason: 'a negative TIME that ends in 00 seconds gives 64 seconds and 63 minutes',
  },
  {
    kind: 'column',
    samples: /^(uuid|inet4|inet6)$/,
    flavours: ['mariadb'],
    reason: 'raw bytes with binlog_row_metadata=FULL, which zongji reads in place of the declared type',
  },
  {
    kind: 'column',
    samples: /^(enum|set)_awkward$/,
    flavours: ['mysql56'],
    reason: 'labels as they stand in the declaration, quotes doubled, where the log itself has none',
  },
  {
    kind: 'column',
    samples: /^vector$/,
    flavours: ['mysql'],
    reason: 'an unsupported type to zongji, which then reads the rest of the row from the wrong place',
  },
  {
    kind: 'column',
    samples: /^json_peculiar$/,
    flavours: ['mysql'],
    reason:
      'DECIMAL inside JSON is a string to zongji, and base64 lacks the line breaks that the server prints',
  },
  {
    kind: 'event',
    event: 'rows:partial-json',
    flavours: ['mysql'],
    reason: 'zongji does not read partial JSON updates: their rows are lost to it',
  },
];
