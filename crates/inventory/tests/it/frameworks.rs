//! Routes and middleware of each framework, found with their method and path.

use crate::support::Project;
use coracle_inventory::unit::UnitKind;

/// Kind, name and framework of the units that a framework calls, in the order of the code.
fn routes(project: &Project) -> Vec<String> {
    let inventory = project.inventory();
    let routed = inventory.units.iter().filter(|unit| matches!(unit.kind, UnitKind::Route | UnitKind::Middleware));
    let mut found: Vec<_> = routed
        .map(|unit| format!("{}:{} {} {}", unit.file, unit.line, unit.framework.unwrap().name(), unit.name))
        .collect();
    found.sort();
    found
}

fn app(name: &str, files: &[(&str, &str)]) -> Project {
    let project = Project::new(files);
    project.write("package.json", &format!(r#"{{"name":"app","dependencies":{{"{name}":"1"}}}}"#));
    project.package(name, "1.0.0");
    project
}

#[test]
fn node_http() {
    let project = Project::new(&[
        ("package.json", "{}"),
        (
            "server.js",
            "const http = require('http');\nhttp.createServer((request, response) => response.end()).listen(0);\n",
        ),
    ]);
    assert_eq!(routes(&project), ["server.js:2 node:http * /"]);
}

#[test]
fn express_with_mounted_routers() {
    let project = app(
        "express",
        &[
            (
                "server.js",
                "import express from 'express';\nimport { users } from './users.js';\nimport auth from './auth.js';\nconst app = express();\napp.use(auth);\napp.use('/api/users', users);\napp.get('/health', (q, s) => s.send('ok'));\napp.listen(1);\n",
            ),
            (
                "users.js",
                "import { Router } from 'express';\nexport const users = Router();\nusers.get('/:id', load, (q, s) => s.json(q.user));\nusers.route('/').post(create);\nfunction load(q, s, next) { next(); }\nasync function create(q, s) { s.end(); }\n",
            ),
            ("auth.js", "export default function auth(request, response, next) { next(); }\n"),
        ],
    );
    assert_eq!(
        routes(&project),
        [
            "auth.js:1 Express auth at /",
            "server.js:7 Express GET /health",
            "users.js:3 Express GET /api/users/:id",
            "users.js:5 Express load at /api/users/:id",
            "users.js:6 Express POST /api/users",
        ]
    );
}

#[test]
fn fastify_with_plugins() {
    let project = app(
        "fastify",
        &[
            (
                "server.js",
                "const app = require('fastify')();\napp.register(require('./orders'), { prefix: '/orders' });\napp.get('/', async () => 'hello');\napp.addHook('onRequest', async (request, reply) => {});\n",
            ),
            (
                "orders.js",
                "module.exports = async function orders(fastify, options) {\n  fastify.route({ method: 'POST', url: '/new', handler: async (request) => request.body });\n  fastify.get('/:id', async (request) => ({}));\n};\n",
            ),
        ],
    );
    assert_eq!(
        routes(&project),
        [
            "orders.js:2 Fastify * /new",
            "orders.js:3 Fastify GET /:id",
            "server.js:3 Fastify GET /",
            "server.js:4 Fastify middleware at /",
        ]
    );
}

#[test]
fn koa() {
    let project = app(
        "koa",
        &[(
            "server.js",
            "const Koa = require('koa');\nconst Router = require('@koa/router');\nconst app = new Koa();\nconst router = new Router();\nrouter.get('/x', async (ctx) => { ctx.body = 'x'; });\napp.use(async (ctx, next) => { await next(); });\napp.use(router.routes());\n",
        )],
    );
    project.package("@koa/router", "13.0.0");
    assert_eq!(routes(&project), ["server.js:5 Koa GET /x", "server.js:6 Koa middleware at /"]);
}

#[test]
fn hono() {
    let project = app(
        "hono",
        &[(
            "src/index.ts",
            "import { Hono } from 'hono';\nconst app = new Hono();\napp.use('*', async (c, next) => { await next(); });\napp.get('/a', (c) => c.text('a')).post('/b', (c) => c.text('b'));\nexport default app;\n",
        )],
    );
    assert_eq!(
        routes(&project),
        ["src/index.ts:3 Hono middleware at /*", "src/index.ts:4 Hono GET /a", "src/index.ts:4 Hono POST /b",]
    );
}

#[test]
fn nest() {
    let project = app(
        "@nestjs/common",
        &[
            ("src/main.ts", "import { Cats } from './cats';\nbootstrap(Cats);\nfunction bootstrap(x: unknown) {}\n"),
            (
                "src/cats.ts",
                "import { Controller, Get, Post, Body } from '@nestjs/common';\n@Controller('cats')\nexport class Cats {\n  @Get(':id')\n  one(id: string) { return id; }\n  @Post()\n  async add(@Body() body: unknown) { return body; }\n}\n",
            ),
        ],
    );
    assert_eq!(routes(&project), ["src/cats.ts:5 NestJS GET /cats/:id", "src/cats.ts:7 NestJS POST /cats"]);
}

#[test]
fn next() {
    let project = app(
        "next",
        &[
            (
                "src/app/api/orders/[id]/route.ts",
                "export async function GET(request: Request) { return Response.json({}); }\nexport const POST = async () => Response.json({});\n",
            ),
            ("pages/api/hello.js", "export default function handler(req, res) { res.json({}); }\n"),
            (
                "middleware.ts",
                "export function middleware(request: Request) { return undefined; }\nexport const config = {};\n",
            ),
            ("pages/index.jsx", "export default function Page() { return <p>hello</p>; }\n"),
        ],
    );
    assert_eq!(
        routes(&project),
        [
            "middleware.ts:1 Next.js middleware at /",
            "pages/api/hello.js:1 Next.js * /api/hello",
            "src/app/api/orders/[id]/route.ts:1 Next.js GET /api/orders/:id",
            "src/app/api/orders/[id]/route.ts:2 Next.js POST /api/orders/:id",
        ]
    );
}

#[test]
fn several_paths_and_patterns_name_a_route() {
    let project = app(
        "express",
        &[(
            "server.js",
            "const express = require('express');\nconst app = express();\napp.get(['/:size', '/:size/:colour'], (q, s) => s.end());\napp.get(/(\\w+\\.md)/, (q, s) => s.end());\n",
        )],
    );
    assert_eq!(routes(&project), ["server.js:3 Express GET /:size", "server.js:4 Express GET /(\\w+\\.md)/"]);
}

#[test]
fn react_on_the_server() {
    let project = app(
        "express",
        &[
            (
                "server.jsx",
                "import express from 'express';\nimport { renderToString } from 'react-dom/server';\nimport { page } from './page.jsx';\nconst app = express();\napp.get('/', (q, s) => s.send(page(q.url)));\napp.get('/bare', (q, s) => s.send(renderToString(<p/>)));\n",
            ),
            (
                "page.jsx",
                "import * as server from 'react-dom/server.node';\nexport function page(url) { return server.renderToStaticMarkup(<p>{url}</p>); }\nexport function other() { return server.version; }\n",
            ),
        ],
    );
    let inventory = project.inventory();
    let rendering: Vec<_> = inventory
        .units
        .iter()
        .filter(|unit| unit.framework.is_some_and(|framework| framework.name() == "React SSR"))
        .map(|unit| (unit.kind, unit.name.as_str()))
        .collect();
    // A handler that renders is a route, and stays one.
    assert_eq!(rendering, [(UnitKind::Function, "React SSR page")]);
    assert_eq!(routes(&project), ["server.jsx:5 Express GET /", "server.jsx:6 Express GET /bare"]);
}
