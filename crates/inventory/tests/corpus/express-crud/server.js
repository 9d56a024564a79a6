import express from 'express';
import pg from 'pg';
const pool = new pg.Pool();
const app = express();
app.use(express.json());
const page = (request) => Math.max(1, Number(request.query.page ?? 1));
app.get('/todos', async (request, response) => {
  const { rows } = await pool.query('select * from todos limit 20 offset $1', [(page(request) - 1) * 20]);
  response.json(rows);
});
app.post('/todos', async (request, response) => {
  const { rows } = await pool.query('insert into todos (text) values ($1) returning *', [request.body.text.trim()]);
  response.status(201).json(rows[0]);
});
app.put('/todos/:id', async (request, response) => {
  const { rowCount } = await pool.query('update todos set done = $2 where id = $1', [request.params.id, Boolean(request.body.done)]);
  response.status(rowCount === 1 ? 204 : 404).end();
});
app.delete('/todos/:id', async (request, response) => {
  await pool.query('delete from todos where id = $1', [request.params.id]);
  response.status(204).end();
});
app.listen(3000);
