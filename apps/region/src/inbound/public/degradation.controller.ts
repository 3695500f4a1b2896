import { Controller, Get } from '@nestjs/common';
import { Degradation } from '#features/degradation';
import { Documented } from './answers.js';
import { degradationAnswer } from './schemas.js';

@Controller('v1/degradation')
export class DegradationController {
  constructor(private readonly degradation: Degradation) {}

  @Get()
  @Documented({ status: 200, description: 'What works when, and what is in force here now', schema: degradationAnswer, problems: [] })
  now() {
    return this.degradation.now();
  }
}
