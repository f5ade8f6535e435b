import '../garbage.js';
import { job } from 'slabpool/worker';
import { countLines } from './count-lines.js';

export default job((/** @type {import('slabpool').Lease} */ lease) => countLines(lease.bytes));
