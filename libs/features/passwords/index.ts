export { ChangePassword } from './change-password.js';
export { type Epoch, EpochEffect, raiseEpochs } from './epoch-effect.js';
export { SetPassword } from './set-password.js';
