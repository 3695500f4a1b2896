export { OrderEffect } from './order-effect.js';
export { type OrderPage, OrderState } from './order-state.js';
