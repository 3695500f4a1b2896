export { ACCOUNT_COLUMNS, type Account, type AccountView } from './account.js';
export { AccountEffect } from './account-effect.js';
export { answerSecondRead, type SecondReadAnswer } from './answer-second-read.js';
export { CreateAccount, type Registered, type Registration } from './create-account.js';
export { CredentialReader, type Credentials } from './credentials.js';
export { FindAccount } from './find-account.js';
export { isConsistent, keepAccount, keepAccounts } from './keep-account.js';
export { canonicalPassword, checkPassword, couldBePassword } from './password-rules.js';
export { Register } from './register.js';
