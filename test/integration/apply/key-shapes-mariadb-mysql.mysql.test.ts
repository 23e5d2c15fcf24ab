import { describeKeyShapes } from './key-shapes.ts';

describeKeyShapes({ pair: { source: 'mariadb', target: 'mysql' }, image: 'FULL' });
