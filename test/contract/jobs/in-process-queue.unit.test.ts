import { InProcessQueue } from '../../../jobs/in-process-queue.ts';
import { queueSuite } from './queue-suite.ts';

queueSuite('in process', (options) => new InProcessQueue(options));
