import { Body, Controller, Get, Post } from '@nestjs/common';
import { compare } from 'bcryptjs';
import Handlebars from 'handlebars';
import { find } from './store';
const welcome = Handlebars.compile('<h1>Hello {{name}}</h1>');
@Controller('users')
export class Users {
  @Post('login')
  async login(@Body() body: { name: string; password: string }) {
    const user = await find(body.name);
    return { ok: await compare(body.password, user.hash) };
  }
  @Get('welcome')
  welcome(): string {
    return welcome({ name: 'you' });
  }
  @Get('me')
  async me() {
    return find('me');
  }
}
