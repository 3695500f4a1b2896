export { OrderEffect } from './order-effect.js';
export { OrderState } from './order-state.js';
