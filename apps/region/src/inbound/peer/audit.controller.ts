import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { z } from 'zod';
import { OwnerAnswers } from '#features/audit';

const text = z.string().max(63);
const key = z.array(z.string().max(200)).min(1).max(8);
const bound = key.nullable();
const table = { table: text, columns: z.array(text).max(100) };
const digestsOf = z.strictObject({ ...table, after: bound, through: bound });
const slotsOf = z.strictObject({ ...table, after: bound, through: bound, slots: z.array(z.int()).max(2_048) });
const rowsOf = z.strictObject({ ...table, keys: z.array(key).max(500) });
const copiesOf = z.strictObject({ ...table, keys: z.array(key).max(50) });
const headsOf = z.strictObject({ outbox: z.string().regex(/^\d{1,19}$/) });

/** What a peer asks that audits its copies of this region's own rows: answered from the own database alone, page by page. */
@Controller('peer/v1/audit')
export class PeerAuditController {
  constructor(private readonly answers: OwnerAnswers) {}

  @Post('columns')
  @HttpCode(200)
  columns() {
    return this.answers.columns();
  }

  @Post('digests')
  @HttpCode(200)
  digests(@Body({ schema: digestsOf }) { after, through, ...asked }: z.infer<typeof digestsOf>) {
    return this.answers.digests(asked, { after, through });
  }

  @Post('slots')
  @HttpCode(200)
  slots(@Body({ schema: slotsOf }) { after, through, slots, ...asked }: z.infer<typeof slotsOf>) {
    return this.answers.rowsInSlots(asked, { after, through }, slots);
  }

  @Post('rows')
  @HttpCode(200)
  rows(@Body({ schema: rowsOf }) { keys, ...asked }: z.infer<typeof rowsOf>) {
    return this.answers.rows(asked, keys);
  }

  @Post('copies')
  @HttpCode(200)
  copies(@Body({ schema: copiesOf }) { keys, ...asked }: z.infer<typeof copiesOf>) {
    return this.answers.copies(asked, keys);
  }

  @Post('mark')
  @HttpCode(200)
  mark() {
    return this.answers.mark();
  }

  @Post('heads')
  @HttpCode(200)
  async heads(@Body({ schema: headsOf }) { outbox }: z.infer<typeof headsOf>) {
    return { heads: await this.answers.heads(outbox) };
  }
}
