import '../garbage.js';
import { countLines } from './count-lines.js';

export default countLines;
