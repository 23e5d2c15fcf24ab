import type { CoordinationTree } from '../../scheduler/tree/tree.ts';

/** The tree with some of its methods replaced. */
export function overlaid(tree: CoordinationTree, methods: Partial<CoordinationTree>): CoordinationTree {
  return new Proxy(tree, {
    get(_, name) {
      const own = methods[name as keyof CoordinationTree];
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(tree, name, tree);
      return typeof value === 'function' ? value.bind(tree) : value;
    },
  });
}
