//! A browser with an authenticator, in software, for whoever plays a person: it opens pages, keeps cookies, sends forms with what they hide, and
//! makes and asks a passkey as Web Authentication has it. Written from the specification and not from what verifies it.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_ledger::hash::sha256;
use ed25519_dalek::{Signer as _, SigningKey};
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};

use crate::commands::node::draw_key;

/// The relying party: passkeys belong to a name, and this machine's is this.
const HOST: &str = "localhost";

/// Present and verified (Web Authentication, Level 3, section 6.1).
const VERIFIED: u8 = 0x05;

/// The same, and a credential was made.
const MADE: u8 = 0x45;

/// What came of a request.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) text: String,
    pub(super) next: Option<String>,
}

/// Fields of a form.
pub(super) type Fields = Vec<(&'static str, String)>;

/// A browser, and the passkey of whoever sits at it.
pub(super) struct Browser {
    http: reqwest::Client,
    server: Url,
    origin: String,
    cookies: BTreeMap<String, String>,
    key: SigningKey,
}

impl Browser {
    /// A fresh one, for the server at this address.
    pub(super) fn new(server: &str) -> anyhow::Result<Self> {
        let server = Url::parse(server)?;
        let port = server.port().context("a server without a port")?;
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let key = SigningKey::from_bytes(&draw_key()?);
        Ok(Self { http, server, origin: format!("http://{HOST}:{port}"), cookies: BTreeMap::new(), key })
    }

    /// Where its pages come from.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Opens a page.
    pub(super) async fn open(&mut self, path: &str) -> anyhow::Result<Page> {
        let request = self.http.get(self.server.join(path)?);
        self.send(request).await
    }

    /// The cookies that it has.
    pub(super) fn cookies(&self) -> BTreeMap<String, String> {
        self.cookies.clone()
    }

    /// Puts cookies in, as whoever copied them would.
    pub(super) fn bring(&mut self, cookies: BTreeMap<String, String>) {
        self.cookies = cookies;
    }

    /// Sends a form.
    pub(super) async fn submit(&mut self, path: &str, fields: &Fields) -> anyhow::Result<Page> {
        let mut form = self.server.clone();
        form.query_pairs_mut().clear().extend_pairs(fields);
        let request = self.http.post(self.server.join(path)?).header(ORIGIN, &self.origin);
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(form.query().unwrap_or_default().to_owned())).await
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> anyhow::Result<Page> {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if cookies.is_empty() { request } else { request.header(COOKIE, cookies.join("; ")) };
        let answer = request.send().await.context("asking for a page")?;
        for line in answer.headers().get_all(SET_COOKIE) {
            let pair = line.to_str()?.split(';').next().and_then(|pair| pair.split_once('='));
            let (name, value) = pair.context("a cookie without a value")?;
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let status = answer.status().as_u16();
        let next = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok()).map(str::to_owned);
        Ok(Page { status, next, text: answer.text().await? })
    }

    /// What the authenticator answers a page that asks for a passkey to be made.
    pub(super) fn register(&self, challenge: &str) -> Fields {
        let id = self.id();
        let length = u8::try_from(id.len()).unwrap_or(u8::MAX);
        // No model says whose it is; then the id behind its length, and the key.
        let credential = [[0; 16].as_slice(), &[0, length], &id, &self.public_key()].concat();
        let data = [sha256(HOST.as_bytes()).0.as_slice(), &[MADE, 0, 0, 0, 0], &credential].concat();
        let length = u8::try_from(data.len()).unwrap_or(u8::MAX);
        // {"fmt": "none", "attStmt": {}, "authData": data}
        let object =
            [b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".as_slice(), &[length], &data].concat();
        let client_data = client_data("webauthn.create", challenge, &self.origin);
        vec![
            ("attestation_object", URL_SAFE_NO_PAD.encode(object)),
            ("client_data_json", URL_SAFE_NO_PAD.encode(client_data)),
        ]
    }

    /// What the authenticator answers a page of this origin that asks the passkey.
    pub(super) fn assert(&self, challenge: &str, (origin, person): (&str, &str)) -> Fields {
        let data = [sha256(HOST.as_bytes()).0.as_slice(), &[VERIFIED, 0, 0, 0, 0]].concat();
        let client_data = client_data("webauthn.get", challenge, origin);
        let message = [data.as_slice(), &sha256(client_data.as_bytes()).0].concat();
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        vec![
            ("credential_id", encoded(&self.id())),
            ("authenticator_data", encoded(&data)),
            ("client_data_json", encoded(client_data.as_bytes())),
            ("signature", encoded(&self.key.sign(&message).to_bytes())),
            ("user_handle", encoded(person.as_bytes())),
        ]
    }

    fn id(&self) -> Vec<u8> {
        sha256(self.key.verifying_key().as_bytes()).0.to_vec()
    }

    /// In COSE: an octet key pair, EdDSA, on Ed25519 (RFC 9053, section 7.2).
    fn public_key(&self) -> Vec<u8> {
        let head = [0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20];
        [head.as_slice(), self.key.verifying_key().as_bytes()].concat()
    }
}

fn client_data(kind: &str, challenge: &str, origin: &str) -> String {
    format!(
        "{{\"type\":\"{kind}\",\"challenge\":\"{challenge}\",\"origin\":\"{origin}\",\"crossOrigin\":false}}"
    )
}

impl Page {
    /// What a form of the page hides under a name.
    pub(super) fn hidden(&self, action: &str, name: &str) -> anyhow::Result<String> {
        let form = after(&self.text, &format!("action=\"{action}\""));
        let form = form.with_context(|| format!("the page has no form for `{action}`"))?;
        let form = form.split("</form>").next().unwrap_or_default();
        quoted(form, &format!("name=\"{name}\" value=\""))
    }

    /// The challenge of the page's passkey form.
    pub(super) fn challenge(&self) -> anyhow::Result<String> {
        quoted(&self.text, "data-challenge=\"")
    }

    /// What it leads to, where it leads somewhere, and its status otherwise.
    pub(super) fn came_to(&self) -> String {
        self.next.clone().unwrap_or_else(|| self.status.to_string())
    }
}

fn after<'a>(text: &'a str, what: &str) -> Option<&'a str> {
    text.split_once(what).map(|(_, rest)| rest)
}

fn quoted(text: &str, before: &str) -> anyhow::Result<String> {
    match after(text, before).and_then(|rest| rest.split_once('"')) {
        Some((value, _)) => Ok(value.to_owned()),
        None => bail!("the page has no `{before}`"),
    }
}
