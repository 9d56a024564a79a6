import { Controller, Get } from '@nestjs/common';
import { volatility } from './volatility';
@Controller('prices')
export class Prices {
  @Get('risk')
  risk(): number {
    return volatility(new Float64Array(10_000));
  }
}
