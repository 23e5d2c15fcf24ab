import { traceCases } from './trace-cases.ts';

traceCases('MySQL', 'mysql', { 'binlog-row-metadata': 'FULL' });
traceCases('MySQL without GTIDs', 'mysql', { 'gtid-mode': 'OFF', 'enforce-gtid-consistency': 'OFF' });
traceCases('MySQL with compressed transactions', 'mysql', { 'binlog-transaction-compression': 'ON' });
traceCases('MySQL 5.6', 'mysql56', {});
