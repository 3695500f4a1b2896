export { Attempts, type Caller } from './attempts.js';
export { addressKey } from './keys.js';
export { SecondReadBudget } from './second-read-budget.js';
