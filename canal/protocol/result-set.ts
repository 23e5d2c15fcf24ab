/**
 * Rows in the text protocol.
 *
 *     result set := lenenc columns · columns × column · EOF · rows × row · EOF
 *     column     := lenenc catalog · lenenc schema · lenenc table · lenenc original table · lenenc name · …
 *     row        := columns × ( fb | lenenc bytes )
 *
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset.html.
 */
import { ByteReader } from './byte-reader.ts';

export interface ResultSet {
  readonly columns: readonly string[];
  /** Column values as the server sent them; null for NULL. */
  readonly rows: readonly (readonly (Buffer | null)[])[];
}

export function decodeColumnCount(payload: Buffer): number {
  return new ByteReader(payload, 'column count').lenencInteger();
}

/** The column's name, which is all that is needed. */
export function decodeColumnName(payload: Buffer): string {
  const reader = new ByteReader(payload, 'column definition');
  for (let i = 0; i < 4; i += 1) reader.lenencBytes();
  return reader.lenencBytes().toString('utf8');
}

export function decodeRow(payload: Buffer, columns: number): (Buffer | null)[] {
  const reader = new ByteReader(payload, 'row');
  return Array.from({ length: columns }, () => {
    // MySQL 5.6 leaves out the last column of SHOW SLAVE HOSTS for a replica that gave no uuid.
    const value = reader.remaining === 0 ? null : reader.nullableLenencBytes();
    // A copy: the payload is a view of what the socket gave, and a row may be kept.
    return value === null ? null : Buffer.from(value);
  });
}

/** Rows as objects of text, for the small answers of the server about itself. */
export function textRows(result: ResultSet): Readonly<Record<string, string | null>>[] {
  return result.rows.map((row) =>
    Object.fromEntries(result.columns.map((name, index) => [name, row[index]?.toString('utf8') ?? null])),
  );
}
