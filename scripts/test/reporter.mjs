import { writeSync } from 'node:fs';

/** The pipe that scripts/test.mjs opened for it. */
const REPORT_FD = 3;

/** A vitest reporter: how many, which failed and why others were skipped, as JSON for scripts/test.mjs. */
export default class CountingReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const report = { passed: 0, failed: [], skipped: [] };
    for (const module of modules) {
      const path = module.relativeModuleId ?? module.moduleId;
      for (const error of module.errors()) report.failed.push(`${path}: ${firstLine(error)}`);
      for (const suite of module.children.allSuites())
        for (const error of suite.errors())
          report.failed.push(`${path} > ${suite.fullName}: ${firstLine(error)}`);
      for (const test of module.children.allTests()) {
        const result = test.result();
        const name = `${path} > ${test.fullName}`;
        if (result.state === 'passed') report.passed++;
        else if (result.state === 'failed') report.failed.push(`${name}: ${firstLine(result.errors[0])}`);
        else if (result.state === 'skipped')
          report.skipped.push({ name, reason: result.note ?? reasonOf(test) });
        else report.failed.push(`${name}: it never ended`);
      }
    }
    for (const error of unhandledErrors) report.failed.push(`outside any test: ${firstLine(error)}`);
    writeSync(REPORT_FD, JSON.stringify(report));
  }
}

function reasonOf(test) {
  if (test.options.mode === 'todo') return 'not written yet';
  if (test.options.mode === 'skip') return 'marked skip in the file';
  return 'not run: it was not selected, or a hook before it failed';
}

function firstLine(error) {
  return String(error?.message ?? error).split('\n')[0];
}
