import jwt from 'jsonwebtoken';
export function middleware(request: Request) {
  const token = request.headers.get('authorization') ?? '';
  jwt.verify(token, process.env.KEY ?? '');
}
