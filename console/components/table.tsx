/**
 * A table that sorts and filters, both in the address bar. Of long ones only the rows in sight are in the page; the rows are of one
 * height then, so that nothing jumps.
 */
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { navigate, useQueryWord } from '../router/router.tsx';
import { Icon } from './icon.tsx';
import { orderOf, type SortValue, sortRows } from './sorting.ts';

export interface TableColumn<T> {
  /** In the address bar. */
  readonly key: string;
  readonly title: string;
  /** Read out only: the column needs no title to be understood by sight. */
  readonly hidesTitle?: boolean;
  readonly cell: (row: T) => ComponentChildren;
  /** Absent: cannot be sorted by. */
  readonly sort?: (row: T) => SortValue;
  readonly align?: 'right';
  /** As CSS has it; `col-…` of the style sheet. */
  readonly class?: string;
}

export interface TableProps<T> {
  /** What is in it, for whoever listens. */
  readonly label: string;
  readonly rows: readonly T[];
  readonly columns: readonly TableColumn<T>[];
  readonly rowKey: (row: T) => string;
  /** Column, with `-` before it for the greatest first. */
  readonly defaultSort: string;
  /** Where a click on the row leads; a cell has the link for everybody else. */
  readonly rowTo?: (row: T) => string;
  /** Name of the word in the address bar, where a page has more than one table. */
  readonly word?: string;
  readonly empty?: ComponentChildren;
}

const ROW_PX = 44;
/** Shorter tables are in the page as a whole. */
const WHOLE = 80;
const BEYOND = 12;

export function Table<T>({
  label,
  rows,
  columns,
  rowKey,
  defaultSort,
  rowTo,
  word = 'sort',
  empty,
}: TableProps<T>) {
  const [sort, setSort] = useQueryWord(word, defaultSort);
  const order = orderOf(sort, columns, defaultSort);
  const sorted = useMemo(() => {
    const column = columns.find((one) => one.key === order.key);
    return column?.sort === undefined ? rows : sortRows(rows, column.sort, order.isDescending, rowKey);
  }, [rows, columns, order.key, order.isDescending, rowKey]);
  const [body, range] = useRange(sorted.length);
  if (rows.length === 0 && empty !== undefined) return <>{empty}</>;
  const shown = sorted.slice(range.from, range.to);
  return (
    <div class="table-frame">
      <table class="table" aria-label={label} aria-rowcount={sorted.length + 1}>
        <thead>
          <tr>
            {columns.map(({ key, title, hidesTitle, align, sort: sortable, class: name }) => {
              const isOrder = order.key === key;
              return (
                <th
                  key={key}
                  scope="col"
                  class={[align === 'right' ? 'right' : '', name ?? ''].join(' ')}
                  aria-sort={isOrder ? (order.isDescending ? 'descending' : 'ascending') : undefined}
                >
                  {sortable === undefined ? (
                    <span class={hidesTitle === true ? 'visually-hidden' : undefined}>{title}</span>
                  ) : (
                    <button
                      type="button"
                      class={`sort${isOrder ? ' is-order' : ''}`}
                      onClick={() =>
                        setSort(
                          isOrder && !order.isDescending
                            ? `-${key}`
                            : isOrder
                              ? key
                              : align === 'right'
                                ? `-${key}`
                                : key,
                        )
                      }
                    >
                      {title}
                      {isOrder && <Icon name={order.isDescending ? 'down' : 'up'} size={12} />}
                    </button>
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody ref={body}>
          {range.from > 0 && <Gap rows={range.from} columns={columns.length} />}
          {shown.map((row, index) => (
            <tr
              key={rowKey(row)}
              aria-rowindex={range.from + index + 2}
              class={rowTo === undefined ? undefined : 'is-link'}
              onClick={
                rowTo === undefined
                  ? undefined
                  : (event) => {
                      const { target } = event;
                      if (target instanceof Element && target.closest('a,button,input,label') !== null)
                        return;
                      if (String(getSelection()) !== '') return;
                      navigate(rowTo(row));
                    }
              }
            >
              {columns.map(({ key, cell, align, class: name }) => (
                <td key={key} class={[align === 'right' ? 'right' : '', name ?? ''].join(' ')}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
          {range.to < sorted.length && <Gap rows={sorted.length - range.to} columns={columns.length} />}
        </tbody>
      </table>
    </div>
  );
}

/** In place of rows that are out of sight. */
function Gap({ rows, columns }: { readonly rows: number; readonly columns: number }) {
  return (
    <tr class="gap">
      <td colSpan={columns} style={{ height: `${rows * ROW_PX}px` }} />
    </tr>
  );
}

function useRange(count: number) {
  const body = useRef<HTMLTableSectionElement>(null);
  const [first, setFirst] = useState(0);
  const isWhole = count <= WHOLE;
  useEffect(() => {
    if (isWhole) return;
    const look = () => {
      const top = body.current?.getBoundingClientRect().top ?? 0;
      // By steps, so that scrolling a little draws nothing.
      setFirst(Math.max(0, Math.floor(-top / ROW_PX / 4) * 4 - BEYOND));
    };
    look();
    addEventListener('scroll', look, { passive: true, capture: true });
    addEventListener('resize', look);
    return () => {
      removeEventListener('scroll', look, { capture: true });
      removeEventListener('resize', look);
    };
  }, [isWhole]);
  const inSight = Math.ceil((typeof innerHeight === 'number' ? innerHeight : 1000) / ROW_PX) + 2 * BEYOND;
  const from = isWhole ? 0 : Math.min(first, Math.max(0, count - inSight));
  return [body, { from, to: isWhole ? count : Math.min(count, from + inSight) }] as const;
}

interface FilterFieldProps {
  readonly label: string;
  readonly placeholder: string;
  readonly word?: string;
}

/** Text to filter by, in the address bar; `/` goes there. */
export function FilterField({ label, placeholder, word = 'q' }: FilterFieldProps) {
  const [text, setText] = useQueryWord(word);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const { target } = event;
      const isTyping =
        target instanceof HTMLElement && target.closest('input,textarea,select,dialog') !== null;
      if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      field.current?.focus();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
  return (
    <label class="search">
      <span class="visually-hidden">{label}</span>
      <Icon name="search" />
      <input
        ref={field}
        type="search"
        value={text}
        placeholder={placeholder}
        aria-keyshortcuts="/"
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') setText('');
        }}
      />
      <span class="key" aria-hidden="true">
        /
      </span>
    </label>
  );
}

export interface Choice {
  readonly value: string;
  readonly label: ComponentChildren;
  readonly count?: number;
}

interface ChoicesProps {
  readonly label: string;
  readonly word: string;
  readonly choices: readonly Choice[];
  /** What is shown without a choice; absent: the first. */
  readonly usual?: string;
}

/** One of a few, in the address bar. */
export function Choices({ label, word, choices, usual = choices[0]?.value ?? '' }: ChoicesProps) {
  const [chosen, choose] = useQueryWord(word, usual);
  return (
    <fieldset class="choices">
      <legend class="visually-hidden">{label}</legend>
      {choices.map(({ value, label: text, count }) => (
        <button key={value} type="button" aria-pressed={value === chosen} onClick={() => choose(value)}>
          {text}
          {count !== undefined && <span class="count">{count}</span>}
        </button>
      ))}
    </fieldset>
  );
}
