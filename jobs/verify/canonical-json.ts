/**
 * JSON text in a form that is equal for equal documents on both servers: white space outside strings gone, members sorted by key.
 * Integers of 64 bits and decimals of more digits than a double has stay as they are written; other numbers are doubles
 * to MySQL, and equal where their doubles are.
 */
export function canonicalJsonText(text: string): string {
  const parser = new JsonText(text);
  const value = parser.value(0);
  return parser.atEnd() && value !== null ? value : text;
}

/** Gives null where the text is no JSON: then the bytes themselves are compared. */
class JsonText {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  atEnd(): boolean {
    this.#space();
    return this.#at === this.#text.length;
  }

  value(depth: number): string | null {
    if (depth > 200) return null;
    this.#space();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
        return this.#string();
      default:
        return this.#scalar();
    }
  }

  #scalar(): string | null {
    const text = this.#take(/(?:-?[0-9][-+0-9.eE]*|true|false|null)/y);
    return text === null || /^[a-z]/.test(text) ? text : canonicalNumber(text);
  }

  #object(depth: number): string | null {
    this.#at += 1;
    const members: [string, string][] = [];
    this.#space();
    if (this.#accept('}')) return '{}';
    for (;;) {
      this.#space();
      const key = this.#string();
      this.#space();
      if (key === null || !this.#accept(':')) return null;
      const value = this.value(depth + 1);
      if (value === null) return null;
      members.push([key, value]);
      this.#space();
      if (this.#accept('}')) break;
      if (!this.#accept(',')) return null;
    }
    members.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${members.map(([key, value]) => `${key}:${value}`).join(',')}}`;
  }

  #array(depth: number): string | null {
    this.#at += 1;
    const items: string[] = [];
    this.#space();
    if (this.#accept(']')) return '[]';
    for (;;) {
      const value = this.value(depth + 1);
      if (value === null) return null;
      items.push(value);
      this.#space();
      if (this.#accept(']')) break;
      if (!this.#accept(',')) return null;
    }
    return `[${items.join(',')}]`;
  }

  /** Escapes written differently mean the same string. */
  #string(): string | null {
    const raw = this.#take(/"(?:[^"\\]|\\.)*"/sy);
    if (raw === null) return null;
    try {
      return JSON.stringify(JSON.parse(raw));
    } catch {
      return null;
    }
  }

  #take(form: RegExp): string | null {
    form.lastIndex = this.#at;
    const found = form.exec(this.#text)?.[0] ?? null;
    if (found !== null) this.#at += found.length;
    return found;
  }

  #accept(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #space(): void {
    this.#take(/[ \t\r\n]*/y);
  }
}

const LEAST_INTEGER = -(2n ** 63n);
const MOST_INTEGER = 2n ** 64n - 1n;
/** A double has no more. */
const MOST_DIGITS = 17;

function canonicalNumber(text: string): string {
  if (/^-?[0-9]{1,20}$/.test(text)) {
    const integer = BigInt(text);
    if (integer >= LEAST_INTEGER && integer <= MOST_INTEGER) return String(integer);
  } else if (/^-?[0-9]+\.[0-9]+$/.test(text)) {
    const digits = text.replace(/[-.]/g, '').replace(/^0+/, '');
    if (digits.length > MOST_DIGITS) return text;
  }
  const number = Number(text);
  if (!Number.isFinite(number)) return text;
  const shortest = Object.is(number, -0) ? '-0' : String(number);
  // A double is no integer, whatever its value.
  return /[.e]/.test(shortest) ? shortest : `${shortest}.0`;
}
