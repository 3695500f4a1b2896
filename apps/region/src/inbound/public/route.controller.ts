import { Controller, Get, Query } from '@nestjs/common';
import { Routes } from '#features/routes';
import { normalizeIdentifier } from '#kernel/routing';
import { Documented } from './answers.js';
import { type RouteQuery, routeAnswer, routeQuery } from './schemas.js';

@Controller('v1/route')
export class RouteController {
  constructor(private readonly routes: Routes) {}

  /** From the route table alone, so it says nothing about whether an account exists. */
  @Get()
  @Documented({ status: 200, description: "The identifier's slot and home", schema: routeAnswer, problems: ['invalid-request', 'unavailable'] })
  route(@Query({ schema: routeQuery }) query: RouteQuery) {
    // A + that was not percent-encoded arrives as a space (URL Standard, application/x-www-form-urlencoded).
    const identifier = query.identifier.replace(/^ (?=\d)/, '+');
    return this.routes.route(normalizeIdentifier(identifier).identifier);
  }
}
