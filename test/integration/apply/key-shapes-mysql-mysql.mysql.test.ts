import { describeKeyShapes } from './key-shapes.ts';

const pair = { source: 'mysql', target: 'mysql' } as const;
describeKeyShapes({ pair, image: 'FULL' });
describeKeyShapes({ pair, image: 'FULL', rowEvents: true });
