import { Router, raw } from 'express';
import sharp from 'sharp';
export const images = Router();
images.post('/thumbnail', raw({ type: 'image/*', limit: '10mb' }), async (request, response) => {
  const bytes = await sharp(request.body).resize(200, 200).webp().toBuffer();
  response.type('image/webp').send(bytes);
});
