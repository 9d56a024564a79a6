import { NestFactory } from '@nestjs/core';
import { Module } from '@nestjs/common';
import { Users } from './users';
import { Prices } from './prices';
@Module({ controllers: [Users, Prices] })
class App {}
const app = await NestFactory.create(App);
await app.listen(3000);
