import type { Chance } from './column-type-case.ts';

/** Parts of values by chance, and literals of values that are known. */

export function pad2(number: number): string {
  return String(number).padStart(2, '0');
}

/** `YYYY-MM-DD` with a day that every month has. */
export function chanceDate(chance: Chance): string {
  return `${String(chance.int(1, 9999)).padStart(4, '0')}-${pad2(chance.int(1, 12))}-${pad2(chance.int(1, 28))}`;
}

/** `MM:SS` */
export function chanceClock(chance: Chance): string {
  return `${pad2(chance.int(0, 59))}:${pad2(chance.int(0, 59))}`;
}

/** Values below the least normal one are left out: servers differ in whether they keep them. */
export function chanceFloat(chance: Chance): number {
  for (;;) {
    const value = chance.bytes(4).readFloatLE();
    if (Number.isFinite(value) && Math.abs(value) >= 1.17549435e-38) return value;
  }
}

export function chanceDouble(chance: Chance): number {
  for (;;) {
    const value = chance.bytes(8).readDoubleLE();
    if (Number.isFinite(value) && Math.abs(value) >= 2.2250738585072014e-308) return value;
  }
}

export function hexLiteral(bytes: Buffer): string {
  return bytes.length === 0 ? "''" : `X'${bytes.toString('hex')}'`;
}

/** For a session whose backslash escapes. */
export function quotedLiteral(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** Characters whose second byte is a backslash, a quote or an at sign in an East Asian set, and others of all lengths. */
export const AWKWARD_TEXTS = [
  '',
  ' ',
  'a',
  "'",
  '"',
  '\\',
  "\\'",
  "''",
  '\0',
  '\0\0',
  '\n\r\t\b\u001a',
  '%_',
  'trailing ',
  'é',
  'ß',
  'ÿ',
  'ソ表予十能',
  '表\\',
  "ソ'",
  '誠',
  '許功蓋',
  '中文',
  '한국어',
  'ﾃｽﾄ',
  '€',
  '😀',
  '\u0080',
  'Ω',
] as const;

/** At most `most` characters. */
export function chanceText(chance: Chance, most = 30): string {
  let text = '';
  for (let i = chance.int(0, 6); i > 0; i--) text += chance.pick(AWKWARD_TEXTS);
  return [...text].slice(0, most).join('');
}
