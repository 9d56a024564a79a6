import Papa from 'papaparse';
import Ajv from 'ajv';
import { XMLParser } from 'fast-xml-parser';
const ajv = new Ajv();
const row = ajv.compile({ type: 'object', properties: { sku: { type: 'string' }, price: { type: 'string' } }, required: ['sku', 'price'] });
const parser = new XMLParser({ ignoreAttributes: false });
export function importCsv(text) {
  const { data, errors } = Papa.parse(text, { header: true, skipEmptyLines: true });
  return { good: data.filter((entry) => row(entry)), errors };
}
export function importXml(text) {
  const document = parser.parse(text);
  return document.products?.product ?? [];
}
