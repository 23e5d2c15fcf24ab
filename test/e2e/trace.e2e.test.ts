import { traceCases } from './trace-cases.ts';

traceCases('MariaDB', 'mariadb', {});
