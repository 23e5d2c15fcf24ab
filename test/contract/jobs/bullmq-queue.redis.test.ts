import { BullmqQueue } from '../../../jobs/bullmq-queue.ts';
import { silentLogger } from '../../../lib/logger.ts';
import { describeRedis } from '../../support/shared-servers.ts';
import { queueSuite } from './queue-suite.ts';

describeRedis('BullMQ on Redis', (context) => {
  queueSuite(
    'BullMQ',
    (options) => new BullmqQueue(options, { url: context.url, prefix: context.prefix, log: silentLogger }),
  );
});
