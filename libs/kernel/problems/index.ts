export * from './errors.js';
export * from './money-errors.js';
export { type FieldError, ProblemError } from './problem-error.js';
export { fromProblem, PROBLEM_MEDIA_TYPE, toProblem } from './problem-json.js';
