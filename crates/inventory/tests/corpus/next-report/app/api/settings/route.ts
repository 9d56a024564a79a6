import { load } from 'js-yaml';
export async function POST(request: Request) {
  return Response.json(load(await request.text()));
}
