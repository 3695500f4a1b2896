export { Attempts, type Caller } from './attempts.js';
export { SecondReadBudget, type SecondRead } from './second-read-budget.js';
