/**
 * Which tables a pipeline carries: include and exclude patterns on the source's names.
 *
 *     pattern := part "." part
 *     part    := "`" any text, a backtick doubled "`" | text with the wildcards * and ?
 *
 * Exclude wins. Names are compared as the source does: exactly, or without regard to case where its
 * lower_case_table_names is 1 or 2. Wildcards never reach into the server's own schemas, nor into Holt's, which nothing
 * carries; Select sees Holt's own rows all the same.
 */
import { HoltError } from '../../lib/errors.ts';
import { wildcard } from '../../lib/wildcard.ts';
import type { TableFilterConfig } from '../../model/config.ts';
import { HOLT_SCHEMA } from '../../model/holt-tables.ts';

const SYSTEM_SCHEMAS = new Set(['mysql', 'information_schema', 'performance_schema', 'sys']);

interface Pattern {
  readonly schema: (name: string) => boolean;
  readonly table: (name: string) => boolean;
  /** True when the schema is spelled out: only then may it be one of the server's own. */
  readonly namesSchema: boolean;
  /** True when every table of a schema it matches is meant. */
  readonly wholeSchema: boolean;
}

export class TableFilter {
  readonly #include: readonly Pattern[];
  readonly #exclude: readonly Pattern[];
  readonly #fold: (name: string) => string;

  /** @throws HOLT_TABLE_PATTERN_INVALID naming the pattern. */
  constructor(config: TableFilterConfig, options: { readonly caseSensitive: boolean }) {
    this.#fold = options.caseSensitive ? (name) => name : (name) => name.toLowerCase();
    this.#include = config.include.map((text) => this.#compile(text));
    this.#exclude = config.exclude.map((text) => this.#compile(text));
  }

  matches(schema: string, table: string): boolean {
    const folded = this.#fold(schema);
    if (folded.toLowerCase() === HOLT_SCHEMA) return false;
    const name = this.#fold(table);
    return (
      this.#include.some((one) => covers(one, folded) && one.table(name)) &&
      !this.#exclude.some((one) => one.schema(folded) && one.table(name))
    );
  }

  /** True if some table of this schema could be carried. */
  mayMatchSchema(schema: string): boolean {
    const folded = this.#fold(schema);
    if (folded.toLowerCase() === HOLT_SCHEMA) return false;
    return (
      this.#include.some((one) => covers(one, folded)) &&
      !this.#exclude.some((one) => one.wholeSchema && one.schema(folded))
    );
  }

  /** True if every table of this schema is carried, also one that is made tomorrow. */
  coversSchema(schema: string): boolean {
    const folded = this.#fold(schema);
    if (folded.toLowerCase() === HOLT_SCHEMA) return false;
    return (
      this.#include.some((one) => one.wholeSchema && covers(one, folded)) &&
      !this.#exclude.some((one) => one.schema(folded))
    );
  }

  #compile(text: string): Pattern {
    const match = /^(`(?:[^`]|``)+`|[^`.]+)\.(`(?:[^`]|``)+`|[^`.]+)$/.exec(text.trim());
    const [, schema, table] = match ?? [];
    if (schema === undefined || table === undefined)
      throw new HoltError('HOLT_TABLE_PATTERN_INVALID', `${JSON.stringify(text)} is no table pattern`, {
        disposition: 'fatal',
        remedy: 'Write schema.table with * and ? as wildcards; quote names that have a dot, * or ? with `.',
        facts: { pattern: text },
      });
    return {
      schema: this.#part(schema),
      table: this.#part(table),
      namesSchema: schema.startsWith('`') || !/[*?]/.test(schema),
      wholeSchema: /^\*+$/.test(table),
    };
  }

  #part(text: string): (name: string) => boolean {
    if (!text.startsWith('`')) return wildcard(this.#fold(text));
    const name = this.#fold(text.slice(1, -1).replaceAll('``', '`'));
    return (candidate) => candidate === name;
  }
}

function covers(pattern: Pattern, schema: string): boolean {
  return pattern.schema(schema) && (pattern.namesSchema || !SYSTEM_SCHEMAS.has(schema.toLowerCase()));
}
