import { describe } from 'vitest';
import { fileWorld } from '../regions/situations.js';
import { describeMoney } from './properties.js';

const SECONDS = 300;

const world = fileWorld();

describe('random schedules of transfers, deposits, cuts and kills', () => describeMoney(() => world, SECONDS));
