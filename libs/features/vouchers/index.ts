export { type AskedGrants, type Granted, GrantVouchers } from './grant-vouchers.js';
export { ReadVouchers, type VouchersAnswer, type VoucherView } from './read-vouchers.js';
export { RedeemVoucher, type Redeemed, type RedeemedAtHome } from './redeem-voucher.js';
export { type Grant, VoucherBook, voucherId, voucherParts, vouchersFrom } from './voucher-book.js';
