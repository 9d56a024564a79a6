import jwt from 'jsonwebtoken';
const SECRET = process.env.JWT_SECRET;
export function requireUser(request, response, next) {
  const token = (request.headers.authorization ?? '').replace('Bearer ', '');
  try {
    request.user = jwt.verify(token, SECRET, { algorithms: ['HS256'] });
    next();
  } catch {
    response.status(401).json({ error: 'log in first' });
  }
}
