import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * What a run has left behind, as sentences: processes that carry its mark in their environment, and temporary folders
 * of processes that are gone. Guards get a moment to finish their work.
 * @param {string} mark value of HOLT_RUN in the run's environment
 * @param {number} graceMs
 * @returns {Promise<string[]>}
 */
export async function leftovers(mark, graceMs = 15_000) {
  const end = Date.now() + graceMs;
  for (;;) {
    const found = [...processesOf(mark), ...abandonedFolders()];
    if (found.length === 0 || Date.now() >= end) return found;
    await sleep(100);
  }
}

function processesOf(mark) {
  const found = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid) continue;
    try {
      if (!readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`HOLT_RUN=${mark}`)) continue;
      if (/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) continue;
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      found.push(
        `process ${pid} is still there: ${command.slice(0, 120) || readlinkSync(`/proc/${pid}/exe`)}`,
      );
    } catch {
      // gone meanwhile, or someone else's
    }
  }
  return found;
}

/** Folders as test/support/kept-process.ts names them, after the pid of their owner. */
function abandonedFolders() {
  return readdirSync(tmpdir())
    .filter((name) => {
      const owner = /^holt-(\d+)-[0-9a-f]{8}$/.exec(name)?.[1];
      return owner !== undefined && !existsSync(`/proc/${owner}`);
    })
    .map((name) => `folder ${join(tmpdir(), name)} was not removed`);
}
