/**
 * The few literals that statements on Holt's own tables are made of. They mean the same under every sql_mode and
 * character set: bytes as hexadecimal literals, numbers as decimal digits.
 */

/** `x'…'`; text goes as UTF-8. */
export function bytesLiteral(value: Buffer | string): string {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
  return `x'${bytes.toString('hex')}'`;
}

/** A hex string of our own (tenure, loader, digest) as bytes. */
export function hexLiteral(hex: string): string {
  if (!/^(?:[0-9a-f]{2})*$/.test(hex)) throw new RangeError('no hex digits');
  return `x'${hex}'`;
}

/** An integer; a JS number must be a safe one. */
export function integerLiteral(value: bigint | number): string {
  if (typeof value === 'number' && !Number.isSafeInteger(value))
    throw new RangeError(`${value} is no safe integer`);
  return String(value);
}

/** NULL for null, else as `literal` says. */
export function nullable<T>(value: T | null, literal: (value: T) => string): string {
  return value === null ? 'NULL' : literal(value);
}
