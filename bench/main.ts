/** npm run bench -- catchup|report [options]: see the files of these names. */
import { catchup } from './catchup.ts';
import { report } from './report.ts';

const [name, ...args] = process.argv.slice(2);
switch (name) {
  case 'catchup':
    await catchup(args);
    break;
  case 'report':
    report();
    break;
  default:
    process.stderr.write('usage: npm run bench -- catchup [options] | report\n');
    process.exitCode = 2;
}
