export { Degradation } from './degradation.js';
