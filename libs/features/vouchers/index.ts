export { type Granted, GrantVouchers } from './grant-vouchers.js';
export { ReadVouchers } from './read-vouchers.js';
export { RedeemVoucher } from './redeem-voucher.js';
export { VoucherBook, voucherId, voucherParts, vouchersFrom } from './voucher-book.js';
