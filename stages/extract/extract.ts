import { Breather } from '../../lib/breather.ts';
import { wildcard } from '../../lib/wildcard.ts';
import type { PipelineConfig, TableRuleConfig } from '../../model/config.ts';
import { PayloadReader, PayloadWriter, surveyPayload } from '../../model/payload.ts';
import { parseRowExpression } from '../../model/row-expression.ts';
import type { TableShape } from '../../model/table-shape.ts';
import type { ExtractedBatch, SelectedBatch } from '../stage.ts';
import { loadProcessor, type ProcessorFunction, RowProcessor } from './processor.ts';
import { RowFilter, type RowsRewriter } from './row-filter.ts';

interface CompiledRule {
  readonly matches: (name: string) => boolean;
  readonly rule: TableRuleConfig;
}

/**
 * Extract: completes a batch at the source by row filters and user processors. A payload without tables that have one goes on
 * as the same object. Where a table has both, the filter sees the rows as they came, the processor what passed.
 */
export class Extractor {
  readonly #rules: readonly CompiledRule[];
  readonly #processors: ReadonlyMap<string, ProcessorFunction>;
  /** By the table's JSON: one rewriter per shape, however many batches bring it anew. */
  readonly #rewriters = new Map<string, RowsRewriter>();

  private constructor(rules: readonly CompiledRule[], processors: ReadonlyMap<string, ProcessorFunction>) {
    this.#rules = rules;
    this.#processors = processors;
  }

  /** Throws HOLT_PROCESSOR_FAILED when a module cannot be loaded. */
  static async open(pipeline: PipelineConfig): Promise<Extractor> {
    const processors = new Map<string, ProcessorFunction>();
    for (const { processor } of pipeline.rules)
      if (processor !== null && !processors.has(processor))
        processors.set(processor, await loadProcessor(processor));
    return new Extractor(
      pipeline.rules.map((rule) => ({ matches: wildcard(rule.match), rule })),
      processors,
    );
  }

  async process(batch: SelectedBatch, signal: AbortSignal): Promise<ExtractedBatch> {
    if (!this.#rules.some(({ rule }) => rule.where !== null || rule.processor !== null)) return batch;
    const filtered = await this.#pass(batch.payload, 'where', signal);
    const payload = await this.#pass(filtered, 'processor', signal);
    if (payload === batch.payload) return batch;
    return { header: { ...batch.header, rows: surveyPayload(payload).rows }, payload };
  }

  /** The same for tables only that could not be decoded when they passed Extract, and can now. */
  async processRepaired<Batch extends SelectedBatch>(batch: Batch, signal: AbortSignal): Promise<Batch> {
    if (!surveyPayload(batch.payload).shapes.some(({ repaired }) => repaired === true)) return batch;
    const filtered = await this.#pass(batch.payload, 'where', signal, true);
    const payload = await this.#pass(filtered, 'processor', signal, true);
    return { ...batch, payload };
  }

  /** Tables are numbered anew by each pass: those without rows left are gone. */
  async #pass(
    payload: Buffer,
    what: 'where' | 'processor',
    signal: AbortSignal,
    onlyRepaired = false,
  ): Promise<Buffer> {
    const rewriters = surveyPayload(payload).shapes.map((shape) =>
      onlyRepaired && shape.repaired !== true ? null : this.#rewriterFor(shape, what),
    );
    return rewriters.some((one) => one !== null) ? rewrite(payload, rewriters, signal) : payload;
  }

  #rewriterFor(shape: TableShape, what: 'where' | 'processor'): RowsRewriter | null {
    // Nobody can say what the columns are: the rows travel as they came, and are seen to when they are repaired.
    if (shape.fault !== undefined) return null;
    const rule = this.#rules.find(({ matches }) => matches(`${shape.schema}.${shape.table}`))?.rule;
    if (rule === undefined || rule[what] === null) return null;
    const key = `${what} ${JSON.stringify(shape)}`;
    const known = this.#rewriters.get(key);
    if (known !== undefined) return known;
    const made = this.#make(shape, rule, what);
    if (made !== null) this.#rewriters.set(key, made);
    return made;
  }

  #make(shape: TableShape, rule: TableRuleConfig, what: 'where' | 'processor'): RowsRewriter | null {
    if (what === 'where')
      return rule.where === null ? null : new RowFilter(shape, parseRowExpression(rule.where));
    const process = rule.processor === null ? undefined : this.#processors.get(rule.processor);
    return process === undefined || rule.processor === null
      ? null
      : new RowProcessor(shape, rule.processor, process);
  }
}

async function rewrite(
  payload: Buffer,
  rewriters: readonly (RowsRewriter | null)[],
  signal: AbortSignal,
): Promise<Buffer> {
  const reader = new PayloadReader(payload);
  const writer = new PayloadWriter(payload.length);
  const breather = new Breather();
  for (let record = reader.next(); record !== null; record = reader.next()) {
    if (record === 'definition' && reader.definition !== null) writer.definition(reader.definition);
    if (record === 'transaction') writer.transaction(reader.commitUs, reader.gtid);
    if (record === 'xa-body') writer.xaBody(reader.xid, reader.xaFirst, reader.commitUs, reader.gtid);
    if (record === 'xa-outcome') writer.xaOutcome(reader.xid, reader.xaOutcome, reader.commitUs, reader.gtid);
    if (record === 'statement' && reader.statement !== null) writer.statement(reader.statement);
    if (record !== 'rows') continue;
    const rewriter = rewriters[reader.table] ?? null;
    const shape = reader.shapes[reader.table];
    if (rewriter !== null) rewriter.rewrite(reader, writer);
    else if (shape !== undefined)
      writer.rawRows(
        shape,
        reader.op,
        reader.flags,
        reader.rows,
        reader.before,
        reader.after,
        reader.bytes,
        reader.dataStart,
        reader.dataEnd,
      );
    if (breather.due()) {
      await breather.breathe();
      signal.throwIfAborted();
    }
  }
  return writer.finish();
}
