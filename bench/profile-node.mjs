/*
 * Loaded into a node before it (`--import`): writes a CPU profile to HOLT_BENCH_PROFILE at its end. Node takes no --cpu-prof from
 * NODE_OPTIONS.
 */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';

const folder = process.env.HOLT_BENCH_PROFILE;
if (folder !== undefined) {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: 500 });
  session.post('Profiler.start');
  process.on('exit', () => {
    session.post('Profiler.stop', (error, result) => {
      if (error === null)
        writeFileSync(join(folder, `node-${process.pid}.cpuprofile`), JSON.stringify(result.profile));
    });
  });
}
