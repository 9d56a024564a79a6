import { Router } from 'express';
import { marked } from 'marked';
import sanitize from 'sanitize-html';
import { pool } from './db.js';
export const posts = Router();
posts.get('/', async (request, response) => {
  const { rows } = await pool.query('select id, title from posts order by id desc limit 20');
  response.json(rows);
});
posts.get('/:id', async (request, response) => {
  const { rows } = await pool.query('select * from posts where id = $1', [request.params.id]);
  if (rows.length === 0) return response.status(404).end();
  response.json(rows[0]);
});
posts.post('/preview', (request, response) => {
  response.type('html').send(sanitize(marked.parse(request.body.text)));
});
posts.post('/', async (request, response) => {
  const { rows } = await pool.query('insert into posts (title, text) values ($1, $2) returning id', [request.body.title, request.body.text]);
  response.status(201).json(rows[0]);
});
