/*
 * Puts a wrapper between one module of the product and whoever imports it: `--fault NAME` of the fuzzer. Runs in the
 * loader's thread; the wrapper itself is a module like any other.
 */

let planted = { module: '', faults: '', name: '', exports: [] };
const MARK = '?planted';

export function initialize(data) {
  planted = data;
}

export async function resolve(specifier, context, next) {
  const resolved = await next(specifier, context);
  const isWrapper = context.parentURL === planted.module + MARK;
  return resolved.url === planted.module && !isWrapper
    ? { ...resolved, url: planted.module + MARK, shortCircuit: true }
    : resolved;
}

export async function load(url, context, next) {
  if (url !== planted.module + MARK) return next(url, context);
  const replaced = planted.exports.map((name) => `export const ${name} = wrapped.${name};`);
  const source = `
    export * from ${JSON.stringify(planted.module)};
    import * as original from ${JSON.stringify(planted.module)};
    import { plantedFault } from ${JSON.stringify(planted.faults)};
    const wrapped = plantedFault(${JSON.stringify(planted.name)}).wrapped(original);
    ${replaced.join('\n')}`;
  return { format: 'module', source, shortCircuit: true };
}
