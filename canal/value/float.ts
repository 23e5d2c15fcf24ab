/**
 * FLOAT and DOUBLE as the shortest decimal that reads back to the same bits.
 *
 * JavaScript prints doubles so by definition; for a FLOAT the shortest of 6 to 9 digits is looked for that gives the
 * same 32 bits (9 digits always do: IEEE 754-2008, 5.12.2). -0 is written "-0".
 */

export function doubleText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** Below it a FLOAT has fewer than six digits. */
const LEAST_NORMAL = 2 ** -126;

/** `value` is a double that a FLOAT holds exactly. */
export function floatText(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 0x100_0000) return doubleText(value);
  for (let digits = Math.abs(value) < LEAST_NORMAL ? 1 : 6; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return String(rounded);
  }
  return String(Number(value.toPrecision(9)));
}

/** The digits of a finite double and where their decimal point stands: 12.5 is ["125", 2], 0.001 is ["1", -2]. */
function decimalParts(value: number): { readonly digits: string; readonly point: number } {
  const [mantissa = '0', exponent = '0'] = value.toExponential().split('e');
  return { digits: mantissa.replace('.', ''), point: Number(exponent) + 1 };
}

/** Beyond so many places from the point, MySQL prints with an exponent. */
const MAX_PLACES = 15;

/**
 * A double as MySQL prints it inside JSON: shortest digits, an exponent only below 1e-15 and from 1e15 on, and always a
 * point or an exponent, so that it reads back as a double. Source: "my_gcvt" in
 * https://dev.mysql.com/doc/dev/mysql-server/latest/dtoa_8cc.html; checked against a server by test.
 */
export function jsonDoubleText(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const sign = value < 0 ? '-' : '';
  const { digits, point } = decimalParts(Math.abs(value));
  if (point > MAX_PLACES || point < 1 - MAX_PLACES) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
    return `${sign}${digits[0]}${fraction}e${point - 1}`;
  }
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  if (point >= digits.length) return `${sign}${digits}${'0'.repeat(point - digits.length)}.0`;
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}
