// How the API says no: `{ "error": { code, message, field? } }` and a status. Thrown by the routes, sent by index.js.

export class Refusal extends Error {
  constructor(status, code, message, field) {
    super(message);
    Object.assign(this, { status, code, field });
  }

  static bad(code, field, message) {
    return new Refusal(400, code, message, field);
  }

  static method(allow) {
    return Object.assign(new Refusal(405, 'method', `use one of ${allow}`), { allow });
  }

  static noSuchPage() {
    return new Refusal(404, 'not_found', 'there is nothing at this path');
  }

  send(response) {
    if (this.allow) response.set('allow', this.allow);
    const { code, message, field } = this;
    response.status(this.status).json({ error: { code, message, field } });
  }
}
