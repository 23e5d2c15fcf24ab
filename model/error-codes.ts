/**
 * Every code that Holt gives, and what an operator does about it. The reference page is generated from this file:
 * the text is the manual. A code, once released, keeps its meaning.
 */
export interface ErrorCode {
  /** One sentence: what has happened. */
  readonly what: string;
  /** One or two sentences: what to do. */
  readonly remedy: string;
}

export const ERROR_CODES = {
  // names and ids
  HOLT_NAME_INVALID: {
    what: 'A name in the configuration has characters that names may not have.',
    remedy: 'Use lower-case letters, digits, "-", "_" and ".".',
  },
  HOLT_ID_INVALID: {
    what: 'An id read from ZooKeeper or the target has not the form of one.',
    remedy: 'Someone else wrote there; look at the named place.',
  },
  HOLT_POSITION_INVALID: {
    what: 'A position has none of the known forms.',
    remedy: 'Give mysql:<gtid set>, mariadb:<gtid list> or file:<server>:<file>:<offset>.',
  },

  // payload
  HOLT_BATCH_TOO_MANY_TABLES: {
    what: 'One batch touches more than 65536 tables.',
    remedy: 'Lower batch.maxRows of the pipeline.',
  },
  HOLT_PAYLOAD_CORRUPT: {
    what: "A batch's payload does not have the form of one.",
    remedy: 'Holt rewinds by itself; if it repeats, look for a proxy that changes bytes.',
  },

  // canal: connection and protocol

  // canal: events, values, schema

  // select, extract, transform

  // load and target

  // scheduler

  // pipe and node-to-node

  // configuration

  // commands and API
} as const satisfies Record<string, ErrorCode>;

export type ErrorCodeName = keyof typeof ERROR_CODES;
