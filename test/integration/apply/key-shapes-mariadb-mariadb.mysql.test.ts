import { describeKeyShapes } from './key-shapes.ts';

describeKeyShapes({ pair: { source: 'mariadb', target: 'mariadb' }, image: 'FULL' });
