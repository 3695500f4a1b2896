/** The region that this process serves, for injection by class. */
export class OwnRegion {
  constructor(readonly region: string) {}
}
