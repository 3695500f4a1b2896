import { describe } from 'vitest';
import { describeMoney } from '../money/properties.js';
import { fileWorld } from './situations.js';

const SECONDS = 40;

const world = fileWorld();

describe('random schedules of transfers, deposits, cuts and kills', () => describeMoney(() => world, SECONDS));
