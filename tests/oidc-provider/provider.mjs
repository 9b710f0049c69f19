// A real OpenID provider on a free port of this machine, for the tests. It tells its address on standard output, hears on standard input which client
// it has, as one line of JSON, and ends with its input. Everybody signs in by typing what they are called; nobody is asked for consent.
//
// usage: node provider.mjs FOLDER   with what `scripts/oidc-provider` installed

import http from 'node:http';
import path from 'node:path';
import readline from 'node:readline';
import crypto from 'node:crypto';
import { pathToFileURL } from 'node:url';

if (!crypto.hash) {
  console.error(`the OpenID provider of the tests needs node 20.12 or later; this is ${process.version}`);
  process.exit(1);
}

const installed = path.resolve(process.argv[2], 'node_modules/oidc-provider/lib/index.js');
const { default: Provider } = await import(pathToFileURL(installed));

const page = (title, body) =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title></head><body><h1>${title}</h1>${body}</body></html>`;

function configuration(client) {
  return {
    clients: [client],
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource(ctx, form) {
          ctx.body = page('Sign out of the provider?', `${form}<button type="submit" form="op.logoutForm" value="yes" name="logout">Yes, sign out</button>`);
        },
      },
    },
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    // What the client asks for, it is granted.
    async loadExistingGrant(ctx) {
      const { client, session, params } = ctx.oidc;
      const known = session.grantIdFor(client.clientId);
      const grant =
        (known && (await ctx.oidc.provider.Grant.find(known))) ||
        new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope(params.scope);
      await grant.save();
      return grant;
    },
  };
}

async function body(request) {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > 10_000) throw new Error('too much');
  }
  return new URLSearchParams(text);
}

async function interaction(provider, request, response) {
  const { uid, prompt } = await provider.interactionDetails(request, response);
  if (request.method === 'POST') {
    const login = (await body(request)).get('login');
    return provider.interactionFinished(request, response, { login: { accountId: login } });
  }
  response.setHeader('content-type', 'text/html; charset=utf-8');
  const form = `<p>${prompt.name}</p><form method="post" action="/interaction/${uid}"><input id="login" name="login"><button>Sign in at the provider</button></form>`;
  return response.end(page('Who are you?', form));
}

let provider;
const server = http.createServer(async (request, response) => {
  try {
    if (!provider) response.writeHead(503).end();
    else if (request.url.startsWith('/interaction/')) await interaction(provider, request, response);
    else provider.callback()(request, response);
  } catch (error) {
    console.error(error);
    response.writeHead(500).end();
  }
});
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  console.log(issuer);
  const lines = readline.createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    provider = new Provider(issuer, configuration(JSON.parse(line)));
    provider.on('server_error', (ctx, error) => console.error(error));
    console.log('ready');
  });
  lines.on('close', () => process.exit(0));
});
