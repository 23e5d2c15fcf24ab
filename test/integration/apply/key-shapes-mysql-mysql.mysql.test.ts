import { describeKeyShapes } from './key-shapes.ts';

describeKeyShapes({ pair: { source: 'mysql', target: 'mysql' }, image: 'FULL' });
