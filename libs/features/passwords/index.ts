export { ChangePassword, type ForwardedPasswordChange } from './change-password.js';
export { type Epoch, EpochEffect, raiseEpochs } from './epoch-effect.js';
export { SetPassword, type PasswordChange, type PasswordChanged } from './set-password.js';
