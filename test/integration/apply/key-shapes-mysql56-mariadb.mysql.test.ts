import { describeKeyShapes } from './key-shapes.ts';

describeKeyShapes({ pair: { source: 'mysql56', target: 'mariadb' }, image: 'FULL' });
