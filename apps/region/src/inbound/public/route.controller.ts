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
    return this.routes.route(normalizeIdentifier(query.identifier).identifier);
  }
}
