/** The languages that notices are written in. */
export type NoticeLocale = 'en' | 'zh';

/** What a reader is shown. */
export interface NoticeText {
  readonly title: string;
  readonly body: string;
}

/** What a template is made of: an amount is written out already, and nothing in it was written by another user. */
export interface NoticeValues {
  readonly amount: string;
  readonly reason: string;
  readonly memo: string;
}

/** Kinds of notices, and `other` for one of a newer version that this one doesn't know. */
type Template = (values: NoticeValues) => NoticeText;
type Templates = Readonly<Record<string, Template>> & { readonly other: Template };

const EN_REASONS: Readonly<Record<string, string>> = {
  'insufficient-funds': 'there was not enough money in your wallet',
  'payee-unknown': 'the payee is not known',
  expired: 'its time had passed',
  'credential-superseded': 'your password was changed after you ordered it',
  'idempotency-key-reused': 'its key had been used for another transfer',
};
const ZH_REASONS: Readonly<Record<string, string>> = {
  'insufficient-funds': '您的钱包余额不足',
  'payee-unknown': '收款人不存在',
  expired: '已超过有效时间',
  'credential-superseded': '您在下单后更改了密码',
  'idempotency-key-reused': '该请求的键已用于另一笔转账',
};

const EN: Templates = {
  'transfer-settled': ({ amount }) => ({ title: 'Transfer settled', body: `Your transfer of ${amount} was settled.` }),
  'transfer-failed': ({ amount, reason }) => ({ title: 'Transfer failed', body: `Your transfer of ${amount} was not carried out: ${EN_REASONS[reason] ?? 'it was refused'}. No money was moved.` }),
  'transfer-overdue': ({ amount }) => ({
    title: 'Transfer overdue',
    body: `Your transfer of ${amount} still waits and its time has passed. It is decided as soon as your home region can be reached; until then you can cancel it.`,
  }),
  'transfer-cancelled': ({ amount }) => ({ title: 'Transfer cancelled', body: `Your transfer of ${amount} was cancelled. No money was moved.` }),
  'transfer-received': ({ amount }) => ({ title: 'Money received', body: `You received ${amount}.` }),
  'password-changed': () => ({ title: 'Password changed', body: 'The password of your account was changed, and all other sessions have ended. If it was not you, get in touch with us at once.' }),
  'voucher-granted': ({ amount, memo }) => ({ title: 'Voucher granted', body: `You were granted a voucher of ${amount}. Redeem it and it is added to your wallet.${memo === '' ? '' : `\n\n${memo}`}` }),
  other: () => ({ title: 'News of your account', body: 'Something happened in your account. Sign in to see it.' }),
};

const ZH: Templates = {
  'transfer-settled': ({ amount }) => ({ title: '转账已完成', body: `您的 ${amount} 转账已完成。` }),
  'transfer-failed': ({ amount, reason }) => ({ title: '转账失败', body: `您的 ${amount} 转账未能执行：${ZH_REASONS[reason] ?? '已被拒绝'}。没有资金被转出。` }),
  'transfer-overdue': ({ amount }) => ({ title: '转账已超时', body: `您的 ${amount} 转账仍在等待，且已超过有效时间。您的归属区域恢复连接后会立即处理；在此之前您可以取消它。` }),
  'transfer-cancelled': ({ amount }) => ({ title: '转账已取消', body: `您的 ${amount} 转账已取消。没有资金被转出。` }),
  'transfer-received': ({ amount }) => ({ title: '收到款项', body: `您收到了 ${amount}。` }),
  'password-changed': () => ({ title: '密码已更改', body: '您的账户密码已更改，其他所有会话均已结束。如果这不是您本人的操作，请立即联系我们。' }),
  'voucher-granted': ({ amount, memo }) => ({ title: '获得代金券', body: `您获得了一张 ${amount} 的代金券。兑换后金额将存入您的钱包。${memo === '' ? '' : `\n\n${memo}`}` }),
  other: () => ({ title: '账户动态', body: '您的账户有新的动态，请登录查看。' }),
};

export const TEMPLATES: Readonly<Record<NoticeLocale, Templates>> = { en: EN, zh: ZH };
