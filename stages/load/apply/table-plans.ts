import type { TableRoute } from '../../../model/table-route.ts';
import type { TableShape } from '../../../model/table-shape.ts';
import { planTable, type TablePlan } from './table-plan.ts';
import type { TargetSchema } from './target-schema.ts';
import type { TargetTable } from './target-table.ts';

interface Kept {
  readonly target: TargetTable;
  readonly plan: TablePlan;
}

const MOST_KEPT = 2000;

/** Plans by shape and route, kept from batch to batch: payloads carry shapes as text, so that equal ones are not the same object. */
export class TablePlans {
  readonly #schema: TargetSchema;
  readonly #kept = new Map<string, Kept>();

  constructor(schema: TargetSchema) {
    this.#schema = schema;
  }

  async plan(shape: TableShape, route: TableRoute): Promise<TablePlan> {
    const target = await this.#schema.table(route.schema, route.name);
    const key = JSON.stringify([shape, route.schema, route.name, route.columns, route.triggers]);
    const kept = this.#kept.get(key);
    if (kept?.target === target) return kept.plan;
    const plan = this.#planned(shape, route, target);
    this.#kept.delete(key);
    if (this.#kept.size >= MOST_KEPT) this.#kept.clear();
    this.#kept.set(key, { target, plan });
    return plan;
  }

  /** A table that is refused is read anew next time: it may have been altered. */
  #planned(shape: TableShape, route: TableRoute, target: TargetTable): TablePlan {
    try {
      return planTable(shape, route, target);
    } catch (error) {
      this.#schema.forget(route.schema, route.name);
      throw error;
    }
  }
}
