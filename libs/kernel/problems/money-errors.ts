import { ProblemError } from './problem-error.js';

/** 404: nobody here or at the home that was asked has this identifier or id. */
export class PayeeUnknownError extends ProblemError {
  override readonly code = 'payee-unknown';
  override readonly status = 404;
  override readonly title = 'The payee is unknown';

  constructor(detail = 'There is no account with this identifier or id') {
    super(detail);
  }
}

/** 409: the transfer has been decided, so it can't be cancelled any more. */
export class TransferFinalError extends ProblemError {
  override readonly code = 'transfer-final';
  override readonly status = 409;
  override readonly title = 'The transfer is final';

  constructor(detail = 'The transfer has been decided and can not be cancelled') {
    super(detail);
  }
}

/** 422: the wallet has less than the transfer's amount. */
export class InsufficientFundsError extends ProblemError {
  override readonly code = 'insufficient-funds';
  override readonly status = 422;
  override readonly title = 'Not enough money';

  constructor(detail = 'The wallet has less than this amount') {
    super(detail);
  }
}

/** 422, for operators: the region would have issued more than its share of what all wallets together can hold. */
export class CapReachedError extends ProblemError {
  override readonly code = 'cap-reached';
  override readonly status = 422;
  override readonly title = 'The cap of this region is reached';
}
