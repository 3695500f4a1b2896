export { Issued, issuedPart } from './issued.js';
export { Ledger, type LedgerAccount, MAX_AMOUNT, type Posting, type Side, clearing } from './ledger.js';
export { MakeDeposit } from './make-deposit.js';
export { ledgerFrom, ledgerPart, orGivenAgain, transactMoney } from './open-ledger.js';
export { keyOf, orderEvents } from './put-orders.js';
export { ReadWallet } from './read-wallet.js';
